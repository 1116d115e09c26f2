import { mkdtempSync, rmSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { Miniflare } from 'miniflare'
import { parse } from 'smol-toml'
import * as z from 'zod'
import { makeFolder } from '../../shared/node/files/make-folder.ts'
import { parseEdgeConfig } from '../../edge/node/config.ts'
import { readIdentity } from '../../shared/node/certificates/read-identity.ts'
import { watchIdentity } from '../../shared/node/certificates/watch-identity.ts'
import { writeWorkerLine } from '../../edge/worker/log.ts'
import { errorText } from '../../shared/log/error-text.ts'
import { tracingSettings } from '../../shared/tracing/settings.ts'
import { backendBinding } from './backend-binding.ts'
import { workerState } from './state/worker-databases.ts'
import { endGroupWithThisProcess } from '../support/group-guard.ts'
import { collectorNetwork, publicInternet } from './networks.ts'

// The edge as a Worker in workerd on this machine: the bundle a deployment would upload, with a real client
// certificate behind its BACKEND binding (which `wrangler dev` does not support locally).

const config = parseEdgeConfig(process.env)
const identity = await readIdentity(config.tlsFiles)
const { WORKER_BUNDLE } = z.object({ WORKER_BUNDLE: z.string() }).parse(process.env)
const deployment = z
  .object({
    compatibility_date: z.string(),
    compatibility_flags: z.array(z.string()),
    durable_objects: z.object({
      bindings: z.array(z.object({ name: z.string(), class_name: z.string() })),
    }),
    kv_namespaces: z.array(z.object({ binding: z.string() })),
    ratelimits: z.array(
      z.object({
        name: z.string(),
        namespace_id: z.string(),
        simple: z.object({ limit: z.int(), period: z.literal([10, 60]) }),
      }),
    ),
  })
  .parse(parse(await readFile('wrangler.toml', 'utf8')))

const tracingVariables = Object.fromEntries(
  Object.keys(tracingSettings.shape).map((name) => [name, process.env[name] ?? '']),
)

const stateFolder = join(config.stateDir, workerState)
makeFolder(stateFolder, 0o700)

// Miniflare leaves files of its own behind, even when it is asked to end.
const temporary = mkdtempSync(join(tmpdir(), 'describe-edge-'))
process.env['TMPDIR'] = temporary
process.on('exit', () => rmSync(temporary, { recursive: true, force: true }))

let stopping = false

endGroupWithThisProcess()

const miniflare = new Miniflare({
  // Otherwise a sample of request.cf would be fetched from the internet.
  cf: false,
  // Keys and their usage survive a restart.
  durableObjectsPersist: stateFolder,
  handleRuntimeStdio(stdout: Readable, stderr: Readable) {
    stdout.pipe(process.stdout)
    stderr.pipe(process.stderr)
    stdout.once('close', () => {
      if (stopping) return
      console.error('workerd ended unexpectedly')
      process.exit(1)
    })
  },
  workers: [
    {
      name: 'edge',
      modules: true,
      scriptPath: WORKER_BUNDLE,
      compatibilityDate: deployment.compatibility_date,
      compatibilityFlags: deployment.compatibility_flags,
      bindings: {
        API_KEY: config.apiKey,
        BACKENDS: config.backendUrls.join(','),
        DEADLINE_MS: String(config.deadlineMs),
        IMAGE_HOSTS_ALLOWED: config.imageHosts.allowed.join(','),
        IMAGE_HOSTS_DENIED: config.imageHosts.denied.join(','),
        CORS_ORIGINS: config.corsOrigins.join(','),
        REVOCATION_MAX_STALE_MS: String(config.revocation.maxStaleMs),
        REVOCATION_GRACE_MS: String(config.revocation.graceMs),
        REVOCATION_CUTS_STREAMS: String(config.revocation.cutsStreams),
        ...tracingVariables,
      },
      durableObjects: Object.fromEntries(
        deployment.durable_objects.bindings.map(({ name, class_name }) => [
          name,
          { className: class_name, useSQLite: true },
        ]),
      ),
      // Copies are not kept across restarts; they are recreated when needed.
      kvNamespaces: deployment.kv_namespaces.map(({ binding }) => binding),
      ratelimits: Object.fromEntries(
        deployment.ratelimits.map(({ name, namespace_id, simple }) => [
          name,
          { namespace_id, simple },
        ]),
      ),
      serviceBindings: {
        BACKEND: backendBinding(identity),
        ...(config.tracing && { OTLP_COLLECTOR: collectorNetwork }),
      },
      outboundService: publicInternet,
      // Bypasses Miniflare's own front door, whose error pages show stack traces and which answers paths of its own.
      unsafeDirectSockets: [
        { host: config.host, port: config.port },
        { host: '127.0.0.1', port: 0, entrypoint: 'Stop' },
      ],
    },
  ],
})

/** The first signal lets running requests finish, the second ends everything at once. */
async function stop(): Promise<void> {
  if (stopping) process.exit(1)
  stopping = true
  await drain().catch((error: unknown) => console.error('workerd was not drained:', error))
  await miniflare.dispose()
  process.exit(0)
}

async function drain(): Promise<void> {
  const url = await miniflare.unsafeGetDirectURL('edge', 'Stop')
  url.searchParams.set('ms', String(config.drainMs))
  const { status } = await fetch(url, { headers: { 'x-api-key': config.apiKey } })
  if (status !== 204) throw new Error(`It answered ${status}`)
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  // Miniflare's own listener would end workerd at once.
  process.removeAllListeners(signal)
  process.on(signal, () => void stop())
}
// The launcher is gone, however it ended.
process.on('disconnect', () => void (stopping || stop()))

// The certificates of a binding cannot be changed while workerd runs.
watchIdentity({
  current: identity,
  read: () => readIdentity(config.tlsFiles),
  onChange() {
    const message = 'certificate files replaced: restart npm start, workerd keeps the previous ones'
    writeWorkerLine({ level: 'warn', message })
  },
  onProblem(error) {
    const detail = errorText(error)
    writeWorkerLine({ level: 'error', message: 'client certificate not usable', detail })
  },
})

await miniflare.ready
