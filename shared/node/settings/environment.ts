import type * as z from 'zod'

/** A setting is missing or malformed. The message names every such variable but never a secret value. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

/**
 * Parses environment variables once, at the border of a program. Empty values count as unset.
 * @throws {ConfigError} naming every bad variable
 */
export function parseEnvironment<Schema extends z.ZodType>(
  schema: Schema,
  environment: Readonly<Record<string, string | undefined>>,
): Readonly<z.infer<Schema>> {
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''))
  const result = schema.safeParse(given, { reportInput: true })
  if (result.success) return Object.freeze(result.data as object) as Readonly<z.infer<Schema>>
  const problems = result.error.issues.map(
    ({ path, input, message }) =>
      `  ${path.join('.')}: ${input === undefined ? 'is required' : message}`,
  )
  throw new ConfigError(`These settings are not valid:\n${problems.join('\n')}`)
}
