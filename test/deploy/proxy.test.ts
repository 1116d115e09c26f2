import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Agent, request } from 'undici'
import { describe, expect, it } from 'vitest'
import { parseEdgeConfig } from '../../edge/node/config.ts'
import { maxUploadBytes } from '../../shared/api/limits.ts'
import { createCertificates } from '../../shared/node/certificates/create-certificates.ts'
import { findFreePorts } from '../../scripts/start/port.ts'
import { eventually } from '../end-to-end/eventually.ts'
import { caddy, nginx, startProxy, unpackProxy } from '../support/proxies.ts'

const { port, deadlineMs } = parseEdgeConfig({ API_KEY: 'a-key-that-nobody-guesses' })

describe.each([nginx, caddy])('$file', ({ file }) => {
  const text = readFileSync(file, 'utf8')

  it('leads to the edge, with its limits and more time than it takes', () => {
    expect(text).toContain(`127.0.0.1:${port}`)
    const [, megabytes] = /(?:client_max_body_size|max_size) (\d+)(?:m|MiB)/.exec(text)!
    expect(Number(megabytes) * 2 ** 20).toBeGreaterThan(maxUploadBytes)
    const timeouts = [...text.matchAll(/(\d{3})s\b/g)].map(([, seconds]) => Number(seconds))
    expect(timeouts.length).toBeGreaterThan(1)
    for (const seconds of timeouts) expect(seconds * 1_000).toBeGreaterThan(deadlineMs)
  })
})

for (const kind of [nginx, caddy]) {
  const unpacked = await unpackProxy(kind)
  const reason = 'problem' in unpacked ? ` (skipped: ${unpacked.problem})` : ''
  it.skipIf('problem' in unpacked)(
    `${kind.name} ends TLS, passes on the client’s address and holds back no event${reason}`,
    async () => {
      if ('problem' in unpacked) return
      await using edge = await startEdge()
      await using folder = await temporaryFolder()
      const [listening = 0] = await findFreePorts([{ host: '127.0.0.1', port: 0, setting: 'PORT' }])
      const ca = await writeCertificates(folder.path)
      const place = { folder: folder.path, port: listening, edgePort: edge.port }
      await using _ = await startProxy(kind, unpacked.root, place)
      await using dispatcher = disposable(new Agent({ connect: { ca } }))
      const here = `https://localhost:${listening}`
      const call = {
        method: 'POST',
        body: '{"prompt":"Hi"}',
        dispatcher: dispatcher.agent,
      } as const
      const headers = { 'x-forwarded-for': '203.0.113.7' }
      const { body } = await eventually(() =>
        request(`${here}/generate/text`, { ...call, headers }).catch(() => undefined),
      )
      const reader = body[Symbol.asyncIterator]()
      // The rest has not been written yet.
      expect(String((await reader.next()).value)).toContain('event: queued')
      edge.proceed()
      expect(String((await reader.next()).value)).toContain('event: end')
      expect(edge.requests[0]!.headers['x-forwarded-for']).toBe(kind.forwardedFor('203.0.113.7'))
      for (const inner of ['/metrics', '/admin/keys']) {
        const refused = await request(`${here}${inner}`, { dispatcher: dispatcher.agent })
        expect(refused.statusCode).toBe(404)
        await refused.body.dump()
      }
    },
  )
}

/** Answers with one event at once, and with another when it may proceed. */
async function startEdge() {
  const requests: IncomingMessage[] = []
  const proceeding = Promise.withResolvers<void>()
  const server = createServer((incoming, response) => {
    requests.push(incoming)
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write('event: queued\ndata: {}\n\n')
    void proceeding.promise.then(() => response.end('event: end\ndata: {}\n\n'))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    requests,
    proceed: proceeding.resolve,
    async [Symbol.asyncDispose]() {
      proceeding.resolve()
      server.close()
      server.closeAllConnections()
    },
  }
}

async function temporaryFolder() {
  const path = await mkdtemp(join(tmpdir(), 'proxy-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) }
}

function disposable(agent: Agent) {
  return { agent, [Symbol.asyncDispose]: () => agent.destroy() }
}

/** @returns the authority that signed them */
async function writeCertificates(folder: string): Promise<string> {
  const names = { server: ['localhost'], client: 'edge' }
  const { ca, server, serverKey } = await createCertificates(names, Date.now())
  await writeFile(join(folder, 'fullchain.pem'), server)
  await writeFile(join(folder, 'privkey.pem'), serverKey)
  return ca
}
