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
  const result = schema.safeParse(given)
  if (result.success) return Object.freeze(result.data as object) as Readonly<z.infer<Schema>>
  const problems = result.error.issues.map(({ path, message }) => {
    const [name = ''] = path.map(String)
    const value = given[name]
    return `  ${path.join('.')}: ${value === undefined ? 'is required' : message + received(name, value)}`
  })
  throw new ConfigError(`These settings are not valid:\n${problems.join('\n')}`)
}

/** Names of settings whose values are secret, or may have a secret in them. */
const secret = /KEY|TOKEN$|SECRET|PASSWORD|HEADERS|PROXY/

/** Values that are shown: numbers, words and short lists, but not addresses, which may have a password in them. */
const plain = /^[\w.,:+ -]{1,40}$/

/** What was given, unless it may be secret. */
function received(name: string, value: string): string {
  return plain.test(value) && !secret.test(name) ? `, received "${value}"` : ''
}
