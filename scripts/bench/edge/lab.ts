import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Agent, fetch, type Dispatcher } from 'undici'
import { adminRoutes, routes } from '../../../shared/api/routes.ts'
import {
  createCertificates,
  type CertificateSet,
} from '../../../shared/node/certificates/create-certificates.ts'
import { buildWorker } from '../../build/worker.ts'
import { programs } from '../../support/programs.ts'
import { findFreePorts } from '../../start/port.ts'
import { childRunning } from './process-counts.ts'

/** A way to the backend: direct, or through an edge. */
export interface Way {
  readonly name: 'direct' | 'workerd' | 'node'
  readonly origin: string
  /** Headers that authenticate each request. */
  readonly headers: Readonly<Record<string, string>>
  /** Makes a new client with connections of its own. */
  readonly connect: () => Dispatcher
  /** The process that serves it. */
  readonly pid: number
}

/** The direct way, and the two edges compared with it. */
export type Ways = Readonly<Record<Way['name'], Way>>

/** Both edges in front of one backend that answers at once, each in a process of its own, as in production. */
export interface Lab extends Ways {
  /** Starts a program that takes an edge's settings and needs no key. */
  readonly startProxy: (name: Way['name'], program: string) => Promise<Way>
  /** Connections and requests the backend has open. */
  readonly countAtBackend: () => Promise<{
    readonly connections: number
    readonly running: number
  }>
  readonly stop: () => Promise<void>
}

/** Folder for files, in memory: a disk that others keep busy would be measured too. */
const memory = '/dev/shm'

const host = '127.0.0.1'
const rootKey = 'root-key-of-the-lab-0123'

/** High enough never to be reached, so that limits are fully checked but nothing is refused. */
const generousLimits = {
  requests_per_minute: 10_000_000,
  concurrent_requests: 10_000,
  tokens_per_minute: 1_000_000_000,
  tokens_per_day: 1_000_000_000,
  images_per_day: 1_000_000_000,
}

export async function startLab(): Promise<Lab> {
  const workerBundle = await buildWorker()
  const folder = await mkdtemp(join(existsSync(memory) ? memory : tmpdir(), 'describe-lab-'))
  const children: ChildProcess[] = []
  const run: Run = (program, environment) => {
    const child = fork(program, {
      env: { PATH: process.env['PATH'], TMPDIR: tmpdir(), ...environment },
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    children.push(child)
    return child
  }
  const stop = async () => {
    await Promise.all(children.map(endChild))
    await rm(folder, { recursive: true, force: true })
  }
  try {
    const names = { server: ['localhost'], client: 'edge' }
    const certificates = await createCertificates(names, Date.now())
    await writeCertificates(join(folder, 'certs'), certificates)
    const backend = await startBackend(run, certificates)
    const settings = { BACKEND_URL: backend.way.origin, WORKER_BUNDLE: workerBundle }
    const startEdge = edgeStarter(run, folder, settings)
    const [workerd, node] = await Promise.all([
      startEdge('workerd', programs.workerEdge),
      startEdge('node', programs.nodeEdge),
    ])
    return {
      direct: backend.way,
      workerd: { ...workerd, headers: await limitedKey(workerd.origin) },
      node: { ...node, headers: await limitedKey(node.origin) },
      startProxy: startEdge,
      countAtBackend: backend.count,
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

/** Starts a program with these settings alone. */
type Run = (program: string, environment: Readonly<Record<string, string>>) => ChildProcess

/** The direct way to the backend, and how to ask what it has open. */
async function startBackend(run: Run, certificates: CertificateSet) {
  const child = run(programs.pacedBackend, { TLS_CERTIFICATES: JSON.stringify(certificates) })
  const [{ port }] = (await once(child, 'message')) as [{ port: number }]
  const way: Way = {
    name: 'direct',
    origin: `https://localhost:${port}`,
    headers: {},
    connect: () => new Agent({ connect: identityOf(certificates) }),
    pid: child.pid!,
  }
  const count: Lab['countAtBackend'] = async () => {
    child.send('count')
    const [counts] = (await once(child, 'message')) as [{ connections: number; running: number }]
    return counts
  }
  return { way, count }
}

/** @returns starts a program that takes an edge's settings, and waits until it answers; requests bring no key */
function edgeStarter(
  run: Run,
  folder: string,
  settings: Readonly<Record<string, string>>,
): Lab['startProxy'] {
  return async (name, program) => {
    const [port] = await findFreePorts([{ host, port: 0, setting: 'PORT' }])
    const { pid } = run(program, {
      ...settings,
      API_KEY: rootKey,
      PORT: String(port),
      STATE_DIR: await mkdtemp(join(folder, `${name}-`)),
      TLS_CA: join(folder, 'certs', 'ca.pem'),
      TLS_CERT: join(folder, 'certs', 'client.pem'),
      TLS_KEY: join(folder, 'certs', 'client-key.pem'),
    })
    const origin = `http://${host}:${port}`
    await waitForHealth(origin)
    const server = name === 'workerd' ? childRunning(pid!, 'workerd') : pid!
    return { name, origin, headers: {}, connect: () => new Agent(), pid: server }
  }
}

/** Headers with a key of an edge that has limits. */
async function limitedKey(origin: string): Promise<Way['headers']> {
  const { method, path } = adminRoutes.createKey
  const response = await fetch(origin + path, {
    method,
    headers: { 'x-api-key': rootKey, 'content-type': 'application/json' },
    body: JSON.stringify({ note: 'lab', limits: generousLimits }),
  })
  const { key } = (await response.json()) as { key?: string }
  if (key === undefined) throw new Error(`The edge created no key: ${response.status}`)
  return { 'x-api-key': key }
}

async function waitForHealth(origin: string): Promise<void> {
  for (let attempt = 0; attempt < 300; attempt += 1) {
    const response = await fetch(origin + routes.health.path).catch(() => undefined)
    await response?.arrayBuffer()
    if (response?.status === 200) return
    await delay(100)
  }
  throw new Error(`Nothing answers at ${origin}`)
}

function identityOf({ ca, client, clientKey }: CertificateSet) {
  return { ca, cert: client, key: clientKey }
}

async function writeCertificates(folder: string, set: CertificateSet): Promise<void> {
  await mkdir(folder, { mode: 0o700 })
  await writeFile(join(folder, 'ca.pem'), set.ca)
  await writeFile(join(folder, 'client.pem'), set.client)
  await writeFile(join(folder, 'client-key.pem'), set.clientKey, { mode: 0o600 })
}

async function endChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  child.kill('SIGTERM')
  child.disconnect()
  await gone
}
