import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Agent, fetch as undiciFetch } from 'undici'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { EngineSnapshot } from '../../backend/engine/job.ts'
import type { ErrorBody } from '../../shared/api/errors.ts'
import {
  createCertificates,
  type CertificateSet,
} from '../../shared/node/certificates/create-certificates.ts'
import { findFreePorts } from '../../scripts/start/port.ts'
import type { RunningEdge } from '../support/suites/edge-suite.ts'
import { startNodeEdge } from '../support/edges/node-edge.ts'
import { eventually } from './eventually.ts'
import { descendantsOf } from './processes.ts'

/**
 * Two real backends behind the Node edge: engines and drains are what the fake ones of failover.test.ts cannot show.
 */

const apiKey = 'a-key-that-nobody-guesses'

interface RealBackend {
  readonly child: ChildProcess
  readonly url: string
}

let folder: string
let certificates: CertificateSet
const backends: RealBackend[] = []
let edge: RunningEdge

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'describe-hung-'))
  certificates = await createCertificates({ server: ['localhost'], client: 'edge' }, Date.now())
  const { ca, server, serverKey } = certificates
  await mkdir(join(folder, 'certs'))
  for (const [name, pem] of Object.entries({ ca, server, 'server-key': serverKey })) {
    await writeFile(join(folder, 'certs', `${name}.pem`), pem)
  }
  const wanted = { host: '127.0.0.1', port: 0, setting: 'BACKEND_PORT' }
  // One after the other: the second one finds the model already converted.
  for (const port of await findFreePorts([wanted, wanted])) backends.push(await startBackend(port))
  const urls = backends.map(({ url }) => url)
  edge = await startNodeEdge(
    { apiKey, backendUrl: urls[0]!, certificates },
    { BACKENDS: urls.join(','), BACKEND_AFFINITY: 'off' },
  )
}, 120_000)

afterAll(async () => {
  await edge.stop()
  for (const { child } of backends) {
    const ended = once(child, 'exit')
    child.kill('SIGTERM')
    await ended
  }
  await rm(folder, { recursive: true, force: true })
})

async function startBackend(port: number): Promise<RealBackend> {
  const own = { STATE_DIR: folder, BACKEND_PORT: String(port) }
  const env = { ...own, THREADS: '1', LOG_LEVEL: 'silent' }
  const child = fork('backend/main.mjs', [], { env })
  const [message] = (await once(child, 'message')) as [{ port: number }]
  return { child, url: `https://localhost:${message.port}` }
}

const inferencePid = ({ child }: RealBackend) =>
  descendantsOf(child.pid!).find(({ command }) => command.includes('inference/child.ts'))?.pid

async function askDirectly({ url }: RealBackend, path: string) {
  const { ca, client: cert, clientKey: key } = certificates
  const dispatcher = new Agent({ connect: { ca, cert, key } })
  const response = await undiciFetch(`${url}${path}`, { dispatcher })
  const body: unknown = await response.json()
  await dispatcher.destroy()
  return { status: response.status, body }
}

const healthOf = async (backend: RealBackend) => (await askDirectly(backend, '/health')).status

/** Steps that its engine has made since it was started. */
async function stepsOf(backend: RealBackend): Promise<number> {
  const { body } = await askDirectly(backend, '/status')
  return (body as { engine: EngineSnapshot }).engine.steps
}

/** @returns `ok` or the code of the error */
async function ask(): Promise<string> {
  const response = await fetch(`${edge.url}/generate/text`, {
    method: 'POST',
    headers: { 'x-api-key': apiKey, 'content-type': 'application/json' },
    body: JSON.stringify({ prompt: 'Hello', max_tokens: 2, temperature: 0 }),
  })
  const body = (await response.json()) as Partial<ErrorBody>
  return response.status === 200 ? 'ok' : (body.error?.code ?? String(response.status))
}

it('goes on with the other backend when the engine of one hangs, and takes it back', async () => {
  const [victim] = backends as [RealBackend]
  const hung = inferencePid(victim)!
  process.kill(hung, 'SIGSTOP')
  const outcomes: Promise<string>[] = []
  await eventually(async () => {
    outcomes.push(ask())
    return (await healthOf(victim)) === 503
  })
  // No request hangs: those on the hung engine got an error, and all others were served by the other backend.
  expect(new Set([...(await Promise.all(outcomes)), 'ok', 'engine_restarted'])).toEqual(
    new Set(['ok', 'engine_restarted']),
  )
  const later = await Promise.all(Array.from({ length: 20 }, ask))
  expect(new Set(later)).toEqual(new Set(['ok']))
  await eventually(async () => (await healthOf(victim)) === 200)
  expect(inferencePid(victim)).not.toBe(hung)
  expect(await ask()).toBe('ok')
}, 120_000)

it('loses no request when one backend after the other is stopped and started again', async () => {
  const isOver = new AbortController()
  const outcomes: string[] = []
  const client = async () => {
    while (!isOver.signal.aborted) outcomes.push(await ask())
  }
  const clients = Promise.all(Array.from({ length: 4 }, client))
  try {
    for (const [index, { child, url }] of backends.entries()) {
      const ended = once(child, 'exit')
      child.kill('SIGTERM')
      expect(await ended).toEqual([0, null])
      const again = await startBackend(Number(new URL(url).port))
      backends[index] = again
      // The other one must stay until the edge uses this one again.
      await eventually(async () => (await healthOf(again)) === 200)
      const warmUp = await stepsOf(again)
      await eventually(async () => (await stepsOf(again)) > warmUp)
    }
  } finally {
    isOver.abort()
    await clients
  }
  expect(outcomes.filter((outcome) => outcome !== 'ok')).toEqual([])
}, 180_000)
