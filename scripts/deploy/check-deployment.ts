import * as z from 'zod'
import { backendUrlsSetting } from '../../edge/backends/backend-urls.ts'

const named = z.object({ name: z.string() })

/** The checked part of one environment in wrangler.toml. */
const environment = z.object({
  vars: z.record(z.string(), z.unknown()).default({}),
  mtls_certificates: z
    .array(z.object({ binding: z.string(), certificate_id: z.string() }))
    .default([]),
  kv_namespaces: z.array(z.object({ binding: z.string(), id: z.string() })).default([]),
  durable_objects: z
    .object({ bindings: z.array(z.object({ name: z.string(), class_name: z.string() })) })
    .default({ bindings: [] }),
  ratelimits: z.array(named).default([]),
})
type Environment = z.infer<typeof environment>

const deployment = environment.extend({
  migrations: z
    .array(z.object({ new_sqlite_classes: z.array(z.string()).default([]) }))
    .default([]),
  env: z.record(z.string(), environment).default({}),
})

/** Placeholder in the repository for the id that wrangler prints when a certificate or namespace is created. */
const placeholderId = /^[0-]+$/

/** Host names that RFC 2606 reserves for examples. */
const exampleHost = /(^|\.)example\.(com|net|org)$/

/** The Worker answers no request without this secret. */
export const requiredSecret = 'API_KEY'

export interface DeploymentProblems {
  /** Mistakes in wrangler.toml: nothing can be deployed from it. */
  readonly mistakes: readonly string[]
  /** Values that only the owner of a deployment knows and has not filled in yet. */
  readonly unset: readonly string[]
}

/**
 * Compares an environment of wrangler.toml with what the Worker needs: everything at the top level, since
 * environments inherit neither variables nor bindings.
 * @param config wrangler.toml, parsed
 * @param name of the environment
 */
export function checkDeployment(config: unknown, name: string): DeploymentProblems {
  const parsed = deployment.safeParse(config)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    return { mistakes: [`${issue?.path.join('.')}: ${issue?.message}`], unset: [] }
  }
  const own = parsed.data.env[name]
  if (own === undefined) {
    const known = Object.keys(parsed.data.env).join(', ')
    return { mistakes: [`There is no environment ${name}; there are ${known}`], unset: [] }
  }
  const classes = new Set(parsed.data.migrations.flatMap((one) => one.new_sqlite_classes))
  const where = `[env.${name}]`
  return {
    mistakes: [
      ...missing(bindingsOf(parsed.data), bindingsOf(own)).map(
        (binding) => `${where} lacks the binding ${binding}`,
      ),
      ...missing(variablesOf(parsed.data), variablesOf(own)).map(
        (variable) => `${where} lacks the variable ${variable}`,
      ),
      ...own.durable_objects.bindings
        .filter(({ class_name: className }) => !classes.has(className))
        .map(({ class_name: className }) => `No migration creates the class ${className}`),
      ...(requiredSecret in own.vars
        ? [`${where} shows ${requiredSecret} as a variable: it must be a secret`]
        : []),
      ...backendMistakes(own, where),
    ],
    unset: unsetOf(own, where),
  }
}

/** Accepts both forms, as the Worker does. */
function backendsOf({ vars }: Environment): readonly string[] | undefined {
  return backendUrlsSetting.safeParse(vars['BACKENDS'] ?? vars['BACKEND_URL']).data
}

function backendMistakes(own: Environment, where: string): readonly string[] {
  const backends = backendsOf(own)
  if (backends === undefined) {
    return [`${where} names no backends: BACKEND_URL or BACKENDS must be https URLs, each once`]
  }
  return own.mtls_certificates
    .map(({ binding }) => binding)
    .filter((binding) => {
      const number = /^BACKEND_(\d+)$/.exec(binding)?.[1]
      return number !== undefined && Number(number) > backends.length
    })
    .map((binding) => `${where} binds ${binding}, but names ${backends.length} backends`)
}

function unsetOf(own: Environment, where: string): readonly string[] {
  const certificates = own.mtls_certificates
    .filter(({ certificate_id: id }) => placeholderId.test(id))
    .map(
      ({ binding }) => `${where} needs the id of the client certificate ${binding}: upload it
    with npm run wrangler -- mtls-certificate upload, and put the id that is printed into wrangler.toml`,
    )
  const namespaces = own.kv_namespaces
    .filter(({ id }) => placeholderId.test(id))
    .map(
      ({ binding }) => `${where} needs the id of the KV namespace ${binding}: create it
    with npm run wrangler -- kv namespace create, and put the id that is printed into wrangler.toml`,
    )
  const backends = (backendsOf(own) ?? [])
    .filter((url) => exampleHost.test(new URL(url).hostname))
    .map((url) => `${where} needs the address of your backend in place of ${url}`)
  return [...certificates, ...namespaces, ...backends]
}

function bindingsOf(one: Environment): readonly string[] {
  return [
    ...one.mtls_certificates.map(({ binding }) => binding),
    ...one.kv_namespaces.map(({ binding }) => binding),
    ...one.durable_objects.bindings.map(({ name }) => name),
    ...one.ratelimits.map(({ name }) => name),
  ]
}

/** The two ways to name backends count as one. */
function variablesOf({ vars }: Environment): readonly string[] {
  return Object.keys(vars).map((name) => (name === 'BACKEND_URL' ? 'BACKENDS' : name))
}

function missing(wanted: readonly string[], present: readonly string[]): readonly string[] {
  return wanted.filter((one) => !present.includes(one))
}
