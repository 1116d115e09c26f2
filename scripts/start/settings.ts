import * as z from 'zod'
import { backendSettingNames, parseConfig as parseBackendConfig } from '../../backend/config.ts'
import { edgeSettingNames, parseEdgeConfig } from '../../edge/node/config.ts'
import type { Environment } from '../../shared/node/settings/dot-env.ts'
import { ConfigError, parseEnvironment } from '../../shared/node/settings/environment.ts'
import { apiKeySetting } from '../../shared/settings/api-key.ts'
import { misspelt, nearestName } from '../../shared/settings/misspelt.ts'

/**
 * `npm start` makes certificates and connects the programs itself; these settings are for programs started one by
 * one.
 */
const setByStart = z.undefined({ error: 'npm start sets this itself, leave it unset' })

const schema = z.object({
  STATE_DIR: z.string().default('.local'),
  EDGE: z.enum(['worker', 'node']).default('worker'),
  API_KEY: apiKeySetting.optional(),
  BACKEND_URL: setByStart.optional(),
  BACKENDS: setByStart.optional(),
  TLS_CA: setByStart.optional(),
  TLS_CERT: setByStart.optional(),
  TLS_KEY: setByStart.optional(),
})

/** Name of the edge's client certificate, which the backend accepts by default. */
export const edgeName = 'edge'

/** Milliseconds that answers get to finish, unless configured: the user waits this long after Ctrl-C. */
const startDrainMs = 2_500

const anyGoodKey = '0123456789abcdefghijklmn'

/** Settings of the command line, which reads the same `.env`. */
const cliSettingNames = ['DESCRIBE_URL', 'DESCRIBE_API_KEY']

const settingNames = [
  ...new Set([
    ...Object.keys(schema.shape),
    ...backendSettingNames,
    ...edgeSettingNames,
    ...cliSettingNames,
  ]),
]

/**
 * Names that look like misspelt settings: every unknown name in `.env`, which belongs to this product alone, and
 * those in the environment that resemble one of our settings. @returns a line for each
 */
export function settingWarnings(dotEnv: Environment, environment: Environment): string[] {
  const unknown = Object.keys(dotEnv).filter((name) => !settingNames.includes(name))
  const slips = misspelt(Object.keys(environment), settingNames).map(({ name }) => name)
  return [
    ...unknown.map((name) => warningOf(`${name} in .env`, name)),
    ...slips
      .filter((name) => !unknown.includes(name))
      .map((name) => warningOf(`${name} in the environment`, name)),
  ]
}

function warningOf(where: string, name: string): string {
  const meant = nearestName(name, settingNames)
  return `Warning: ${where} is not a setting and has no effect${meant === undefined ? '' : `; did you mean ${meant}?`}`
}

/**
 * The settings `npm start` itself needs. It also checks those of the programs: better now than after some of them
 * have started.
 * @throws {ConfigError} naming every bad variable
 */
export function parseStartSettings(environment: Environment) {
  const problems = new Set<string>()
  const own = attempt(() => parseEnvironment(schema, environment), problems)
  const backend = attempt(() => parseBackendConfig(environment), problems)
  // The key may be made later; any strong one will do for this check.
  const edgeEnvironment = { ...environment, API_KEY: environment['API_KEY'] || anyGoodKey }
  const edge = attempt(() => parseEdgeConfig(edgeEnvironment), problems)
  if (own === undefined || backend === undefined || edge === undefined) {
    throw new ConfigError([...problems].join('\n'))
  }
  const clash = clashOf(backend, edge)
  if (clash !== undefined) throw new ConfigError(`These settings are not valid:\n  ${clash}`)
  return {
    stateDir: own.STATE_DIR,
    edgeKind: own.EDGE,
    presetApiKey: own.API_KEY,
    backend: { host: backend.host, port: backend.port, threads: backend.model.threads },
    edge: { host: edge.host, port: edge.port },
    logLevel: edge.logLevel,
    drainMs: environment['DRAIN_TIMEOUT_MS'] ? backend.drainMs : startDrainMs,
  }
}

type Listener = Readonly<{ host: string; port: number; metrics: { port: number | undefined } }>

/** Values that are valid individually but contradict each other. */
function clashOf(
  backend: Listener & { readonly allowedClients: readonly string[] },
  edge: Listener,
): string | undefined {
  if (!backend.allowedClients.includes(edgeName)) {
    return `ALLOWED_CLIENTS: must hold ${edgeName}, the name of the edge that npm start runs`
  }
  const ports = [
    ['PORT', edge.port],
    ['BACKEND_PORT', backend.port],
    ['METRICS_PORT', edge.metrics.port ?? 0],
    ['BACKEND_METRICS_PORT', backend.metrics.port ?? 0],
  ] as const
  for (const [index, [name, port]] of ports.entries()) {
    const other = ports.slice(index + 1).find(([, its]) => its === port && port !== 0)
    if (other !== undefined) return `${name}, ${other[0]}: are both ${port}, and must differ`
  }
  return undefined
}

export type StartSettings = ReturnType<typeof parseStartSettings>

/** Runs `parse`; the lines of a ConfigError are added to `problems`, each only once. */
function attempt<Result>(parse: () => Result, problems: Set<string>): Result | undefined {
  try {
    return parse()
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    for (const line of error.message.split('\n')) problems.add(line)
    return undefined
  }
}
