import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { Agent, request } from 'node:http'
import { join } from 'node:path'
import { json } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { programs } from '../../scripts/support/programs.ts'
import { findFreePorts } from '../../scripts/start/port.ts'
import type { ErrorBody } from '../../shared/api/errors.ts'
import { createCertificates } from '../../shared/node/certificates/create-certificates.ts'
import { tlsSettings, writeCertificates } from '../support/edges/node-edge.ts'
import { answerJson, RecordingBackend } from '../support/backends/recording-backend.ts'

const rootKey = 'root-key-nobody-guesses-1'

let folder: string
let backend: RecordingBackend
let ports: number[]
const edges: ChildProcess[] = []

beforeEach(async () => {
  const names = { server: ['localhost'], client: 'edge' }
  const certificates = await createCertificates(names, Date.now())
  folder = await writeCertificates(certificates)
  const wanted = { host: '127.0.0.1', port: 0, setting: 'PORT' }
  ports = await findFreePorts([wanted, wanted])
  backend = await RecordingBackend.start(certificates)
  backend.answer = async (seen, response) => {
    await delay(10)
    await answerJson(200, { output: 'A cat.' })(seen, response)
  }
  await Promise.all([...ports.keys()].map(start))
}, 240_000)
afterEach(async () => {
  for (const edge of edges.splice(0)) {
    if (edge.exitCode !== null) continue
    edge.kill('SIGKILL')
    await once(edge, 'exit')
  }
  await backend.close()
  await rm(folder, { recursive: true })
})

async function start(at: number): Promise<void> {
  const edge = fork(programs.nodeEdge, {
    env: {
      API_KEY: rootKey,
      BACKEND_URL: backend.url,
      PORT: String(ports[at]),
      // Both have the same keys and counts, as edges of one service do.
      STATE_DIR: join(folder, 'state'),
      LOG_LEVEL: 'silent',
      ...tlsSettings(folder),
    },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  edges[at] = edge
  await once(edge, 'message')
}

/** A proxy's way of asking: over a kept connection; elsewhere only if nothing was sent or the edge said that it stops. */
class Balancer {
  readonly #agents = ports.map(() => new Agent({ keepAlive: true }))
  #next = 0

  /** @returns `ok`, or what went wrong with no other edge to ask */
  async ask(): Promise<string> {
    this.#next += 1
    const first = this.#next
    let problem = ''
    for (const more of ports.keys()) {
      problem = await this.#askOne((first + more) % ports.length)
      if (problem !== 'ECONNREFUSED' && problem !== 'shutting_down') break
    }
    return problem
  }

  close(): void {
    for (const agent of this.#agents) agent.destroy()
  }

  #askOne(at: number): Promise<string> {
    return new Promise((resolve) => {
      const call = request({
        agent: this.#agents[at],
        port: ports[at],
        path: '/generate/text',
        method: 'POST',
        headers: { 'x-api-key': rootKey, 'content-type': 'application/json' },
      })
      call.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
      call.on('response', (response) => {
        json(response).then(
          (body) => resolve(response.statusCode === 200 ? 'ok' : (body as ErrorBody).error.code),
          (error: Error) => resolve(error.message),
        )
      })
      call.end('{"prompt":"Hi"}')
    })
  }
}

it('no request is lost while one edge after the other is stopped and started again', async () => {
  const balancer = new Balancer()
  const isOver = new AbortController()
  const outcomes: string[] = []
  const clients = Promise.all(
    Array.from({ length: 4 }, async () => {
      while (!isOver.signal.aborted) outcomes.push(await balancer.ask())
    }),
  )
  try {
    for (const at of [0, 1, 0]) {
      const before = outcomes.length
      await expect.poll(() => outcomes.length, { timeout: 60_000 }).toBeGreaterThan(before + 20)
      const edge = edges[at]!
      const ended = once(edge, 'exit')
      edge.kill('SIGTERM')
      expect(await ended).toEqual([0, null])
      await start(at)
    }
  } finally {
    isOver.abort()
    await clients
    balancer.close()
  }
  expect(outcomes.filter((outcome) => outcome !== 'ok')).toEqual([])
}, 240_000)
