import { z } from 'zod'
import { parseConfig as parseBackendConfig } from '../../backend/config.ts'
import { parseEdgeConfig } from '../../edge/node/config.ts'
import type { Environment } from '../../shared/node/dot-env.ts'
import { ConfigError, parseEnvironment } from '../../shared/node/environment.ts'

/** `npm start` makes certificates and connects the programs itself; these are for programs run one by one. */
const setByStart = z.undefined({ error: 'npm start sets this itself, leave it unset' })

const schema = z.object({
  STATE_DIR: z.string().default('.local'),
  EDGE: z.enum(['worker', 'node']).default('worker'),
  API_KEY: z
    .string()
    .regex(/^[\x21-\x7e]{1,256}$/, 'expected at most 256 visible ASCII characters')
    .optional(),
  BACKEND_URL: setByStart.optional(),
  BACKENDS: setByStart.optional(),
  TLS_CA: setByStart.optional(),
  TLS_CERT: setByStart.optional(),
  TLS_KEY: setByStart.optional(),
})

/**
 * The settings `npm start` itself needs. Those of the programs are all checked too: better now than after some started.
 * @throws {ConfigError} naming every bad variable
 */
export function parseStartSettings(environment: Environment) {
  const problems = new Set<string>()
  const own = attempt(() => parseEnvironment(schema, environment), problems)
  const backend = attempt(() => parseBackendConfig(environment), problems)
  // The key may be made later; any does for this check.
  const edgeEnvironment = { ...environment, API_KEY: environment['API_KEY'] || 'unset' }
  const edge = attempt(() => parseEdgeConfig(edgeEnvironment), problems)
  if (own === undefined || backend === undefined || edge === undefined) {
    throw new ConfigError([...problems].join('\n'))
  }
  return {
    stateDir: own.STATE_DIR,
    edgeKind: own.EDGE,
    presetApiKey: own.API_KEY,
    backend: { host: backend.host, port: backend.port },
    edge: { host: edge.host, port: edge.port },
    logLevel: edge.logLevel,
  }
}

export type StartSettings = ReturnType<typeof parseStartSettings>

/** Runs `parse`; the lines of a ConfigError become `problems`, each only once. */
function attempt<Result>(parse: () => Result, problems: Set<string>): Result | undefined {
  try {
    return parse()
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    for (const line of error.message.split('\n')) problems.add(line)
    return undefined
  }
}
