import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { type ClientRequest, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  type CertificateSet,
  createCertificates,
} from '../../shared/node/certificates/create-certificates.ts'
import { residentBytes } from '../../shared/node/metrics/resident-bytes.ts'
import { descendantsOf } from '../end-to-end/processes.ts'
import type { EdgeSettings, RunningEdge } from '../support/suites/edge-suite.ts'
import { startNodeEdge } from '../support/edges/node-edge.ts'
import { startWorkerd } from '../support/edges/workerd-edge.ts'

const rootKey = 'root-key-nobody-guesses-1'
const uploads = 60
const bytesOfEach = 8 * 2 ** 20

/** What an edge may grow by: buffers of its connections. One that held the uploads would need twice as much for them. */
const growthBytes = (uploads * bytesOfEach) / 2

/** A backend that reads nothing of an upload until it is told to, and then says how much there was. */
class PatientBackend {
  readonly #server: Server
  readonly #begin = Promise.withResolvers<void>()
  waiting = 0

  constructor({ ca, server: cert, serverKey: key }: CertificateSet) {
    this.#server = createServer(
      { ca, cert, key, requestCert: true, rejectUnauthorized: true },
      (incoming, response) => void this.#answer(incoming, response),
    )
  }

  async listen(): Promise<string> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return `https://localhost:${(this.#server.address() as AddressInfo).port}`
  }

  async #answer(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    this.waiting += 1
    await this.#begin.promise
    let bytes = 0
    for await (const chunk of incoming) bytes += (chunk as Buffer).byteLength
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ bytes }))
  }

  begin(): void {
    this.#begin.resolve()
  }

  close(): void {
    this.#server.close()
    this.#server.closeAllConnections()
  }
}

const platforms = {
  Node: { start: startNodeEdge, program: 'edge/node/main.mjs' },
  Worker: { start: (settings: EdgeSettings) => startWorkerd(settings), program: 'workerd' },
}

describe.each(['Node', 'Worker'] as const)(
  'many uploads at once through the edge on %s',
  (name) => {
    const { start, program } = platforms[name]
    let folder: string
    let backend: PatientBackend
    let edge: RunningEdge

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'uploads-'))
      const names = { server: ['localhost'], client: 'edge' }
      const certificates = await createCertificates(names, Date.now())
      backend = new PatientBackend(certificates)
      const backendUrl = await backend.listen()
      edge = await start({ apiKey: rootKey, backendUrl, certificates })
    })
    afterAll(async () => {
      await edge.stop()
      backend.close()
      await rm(folder, { recursive: true })
    })

    const memory = () => {
      const pids = descendantsOf(process.pid).filter(({ command }) => command.includes(program))
      expect(pids.length).toBeGreaterThan(0)
      return residentBytes(pids.map(({ pid }) => pid))
    }

    /** Sends all it can at once. */
    function upload(body: Buffer): { call: ClientRequest; answer: Promise<string> } {
      const call = request(`${edge.url}/generate/image`, {
        method: 'POST',
        agent: false,
        headers: {
          'x-api-key': rootKey,
          'content-type': 'multipart/form-data; boundary=x',
          'content-length': body.byteLength,
        },
      })
      const answer = once(call, 'response').then(async ([response]) => {
        let text = ''
        for await (const chunk of response) text += String(chunk)
        return text
      })
      call.end(body)
      return { call, answer }
    }

    it('pass it without being held in its memory', { timeout: 120_000 }, async () => {
      const body = Buffer.alloc(bytesOfEach, 'x')
      body.write('--x\r\nContent-Disposition: form-data; name="images"; filename="a"\r\n\r\n')
      body.write('\r\n--x--\r\n', body.byteLength - 9)
      const before = memory()
      let most = before
      const watch = setInterval(() => (most = Math.max(most, memory())), 50)
      const sent = Array.from({ length: uploads }, () => upload(body))
      await expect.poll(() => backend.waiting, { timeout: 60_000 }).toBe(uploads)
      // As long as nobody reads them, what can be held is held.
      await new Promise((resolve) => setTimeout(resolve, 1_000))
      backend.begin()
      const answers = await Promise.all(sent.map(({ answer }) => answer))
      clearInterval(watch)
      expect(new Set(answers)).toEqual(new Set([JSON.stringify({ bytes: bytesOfEach })]))
      expect(most - before).toBeLessThan(growthBytes)
    })
  },
)
