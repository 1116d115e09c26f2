import type { TLSSocket } from 'node:tls'
import { Agent, fetch } from 'undici'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import {
  makeCertificates,
  startTestBackend,
  until,
  type TestBackend,
} from '../../../test/support/backends/test-backend.ts'
import { maxImageBytes, maxUploadBytes } from '../../../shared/api/limits.ts'
import {
  createCertificates,
  type CertificateSet,
} from '../../../shared/node/certificates/create-certificates.ts'

let certificates: CertificateSet
let backend: TestBackend
beforeAll(async () => {
  certificates = await makeCertificates('edge')
})
afterEach(() => backend.stop())

async function healthWith(identity: { cert?: string; key?: string }) {
  const dispatcher = new Agent({ connect: { ca: certificates.ca, ...identity } })
  try {
    return await fetch(`https://localhost:${backend.port}/health`, { dispatcher })
  } finally {
    await dispatcher.destroy()
  }
}

describe('the client certificate', () => {
  it('lets an allowed name in', async () => {
    backend = await startTestBackend({ certificates, allowedClients: ['other', 'edge'] })
    const identity = { cert: certificates.client, key: certificates.clientKey }
    expect((await healthWith(identity)).status).toBe(200)
  })

  it('is required', async () => {
    backend = await startTestBackend({ certificates })
    await expect(healthWith({})).rejects.toThrow('fetch failed')
    expect(backend.logLines).toEqual([])
  })

  it('of another authority is refused', async () => {
    backend = await startTestBackend({ certificates })
    const stranger = await makeCertificates('edge')
    const identity = { cert: stranger.client, key: stranger.clientKey }
    await expect(healthWith(identity)).rejects.toThrow('fetch failed')
    expect(backend.logLines).toEqual([])
  })

  it('made for a server is refused', async () => {
    backend = await startTestBackend({ certificates, allowedClients: ['localhost'] })
    const identity = { cert: certificates.server, key: certificates.serverKey }
    await expect(healthWith(identity)).rejects.toThrow('fetch failed')
  })

  it.each(['vpc-client', 'edge.example', 'dge'])(
    'with none of the names (%s) gets 403',
    async (name) => {
      backend = await startTestBackend({ certificates, allowedClients: [name] })
      const response = await backend.fetch('/health')
      expect(response.status).toBe(403)
      expect(await response.json()).toMatchObject({
        error: { code: 'client_not_allowed', type: 'permission_error' },
      })
    },
  )
})

describe('refused clients', () => {
  const refusals = () => backend.logLines.map(({ msg, address }) => [msg, address])

  /** Connects with certificates of the test's own. @returns what the log says then */
  async function refusedWith(identity: { cert?: string; key?: string }, ca = certificates.ca) {
    const dispatcher = new Agent({ connect: { ca, ...identity } })
    await expect(fetch(`https://localhost:${backend.port}/health`, { dispatcher })).rejects.toThrow(
      'fetch failed',
    )
    await dispatcher.destroy()
    await until(() => backend.logLines.length > 0)
    return refusals()
  }

  it('of another authority are logged with their address, once a minute', async () => {
    backend = await startTestBackend({ certificates, logRefusals: true })
    const stranger = await makeCertificates('edge')
    const identity = { cert: stranger.client, key: stranger.clientKey }
    const line = ['client refused: its certificate is not signed by TLS_CA', '127.0.0.1']
    expect(await refusedWith(identity)).toEqual([line])
    expect(await refusedWith(identity)).toEqual([line])
    expect((await backend.fetch('/health')).status).toBe(200)
  })

  it('get errors that say what is wrong', async () => {
    backend = await startTestBackend({ certificates, logRefusals: true })
    expect(await refusedWith({})).toEqual([['client refused: it has no certificate', '127.0.0.1']])
  })

  it('get an error of their own: an expired certificate', async () => {
    const old = await createCertificates(
      { server: ['localhost'], client: 'edge' },
      Date.now() - 400 * 86_400_000,
    )
    const { server, serverKey } = certificates
    const believing = { ...certificates, ca: old.ca, server, serverKey }
    backend = await startTestBackend({ certificates: believing, logRefusals: true })
    expect(await refusedWith({ cert: old.client, key: old.clientKey })).toEqual([
      ['client refused: its certificate has expired', '127.0.0.1'],
    ])
  })

  it('because there are too many connections with requests are logged', async () => {
    backend = await startTestBackend({ certificates, logRefusals: true, maxConnections: 1 })
    backend.engine.beforeBatch = () => new Promise(() => {})
    const first = await backend.open()
    first.write(postJson('/generate/text', '{"prompt":"a"}'))
    await until(() => backend.engine.running.size === 1)
    await expect(backend.open()).rejects.toThrow(/reset|disconnected|hang up/)
    await until(() => backend.logLines.length > 0)
    expect(refusals()).toEqual([['connection refused: 1 are open already', '127.0.0.1']])
    first.destroy()
  })
})

describe('an idle connection', () => {
  it('gives way to a new one when all are open', async () => {
    backend = await startTestBackend({ certificates, maxConnections: 1 })
    const first = await backend.open()
    const heard = listenTo(first)
    first.write(healthRequest)
    await until(() => heard.text.includes('healthy'))
    const second = await backend.open()
    const heardNow = listenTo(second)
    second.write(healthRequest)
    await until(() => heardNow.text.includes('healthy') && heard.ended)
    expect(backend.logLines.map(({ msg }) => msg)).toContain(
      'idle connection closed for a new one: 1 are open',
    )
    second.destroy()
  })
})

describe('a resumed TLS session', () => {
  it('still carries the client certificate', async () => {
    backend = await startTestBackend({ certificates })
    const first = await backend.open()
    const heard = listenTo(first)
    const session = new Promise<Buffer>((resolve) => first.once('session', resolve))
    first.write(healthRequest)
    await until(() => heard.text.includes('healthy'))
    const again = await backend.open({ session: await session })
    const heardAgain = listenTo(again)
    again.write(healthRequest)
    await until(() => heardAgain.text.includes('healthy'))
    expect(again.isSessionReused()).toBe(true)
    first.destroy()
    again.destroy()
  })
})

function clientOf({ certificates: { ca, client: cert, clientKey: key } }: TestBackend) {
  return { ca, cert, key }
}

/** Collects what a socket says. */
function listenTo(socket: TLSSocket) {
  const heard = { text: '', ended: false }
  socket.setEncoding('utf8').on('data', (text) => (heard.text += String(text)))
  socket.on('error', () => {})
  socket.on('close', () => (heard.ended = true))
  return heard
}

function head(fields: Record<string, string | number>) {
  const lines = Object.entries({ host: 'localhost', ...fields }).map(([k, v]) => `${k}: ${v}\r\n`)
  return `POST /generate/image HTTP/1.1\r\n${lines.join('')}\r\n`
}

function postJson(path: string, body: string) {
  const type = 'content-type: application/json'
  return `POST ${path} HTTP/1.1\r\nhost: localhost\r\n${type}\r\ncontent-length: ${body.length}\r\n\r\n${body}`
}

const multipart = { 'content-type': 'multipart/form-data; boundary=x' }
const healthRequest = 'GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n'

describe('an upload', () => {
  it('too long by its Content-Length is refused before it is sent', async () => {
    backend = await startTestBackend({ certificates })
    const socket = await backend.open()
    const heard = listenTo(socket)
    socket.write(head({ ...multipart, 'content-length': maxUploadBytes + 1 }))
    await until(() => heard.text.includes('\r\n\r\n'))
    expect(heard.text).toMatch(/^HTTP\/1.1 413 /)
    expect(heard.text).toContain('body_too_large')
    socket.destroy()
  })

  it('too long without a stated length is refused once it is', async () => {
    backend = await startTestBackend({ certificates })
    const socket = await backend.open()
    const heard = listenTo(socket)
    socket.write(head({ ...multipart, 'transfer-encoding': 'chunked' }))
    // Junk before the first boundary is legal, belongs to no file, and still counts.
    const chunk = Buffer.alloc(1024 * 1024, 'a')
    for (let sent = 0; sent <= maxUploadBytes && heard.text === ''; sent += chunk.length) {
      socket.write(`${chunk.length.toString(16)}\r\n`)
      socket.write(chunk)
      if (!socket.write('\r\n')) await new Promise((resolve) => socket.once('drain', resolve))
    }
    await until(() => heard.text.includes('\r\n\r\n'))
    expect(heard.text).toMatch(/^HTTP\/1.1 413 /)
    socket.destroy()
  })

  it('refused early can still be sent to its end, and the connection serves on', async () => {
    backend = await startTestBackend({ certificates })
    const socket = await backend.open()
    const heard = listenTo(socket)
    const body = Buffer.alloc(8 * 1024 * 1024, 'a')
    socket.write(head({ 'content-type': 'image/png', 'content-length': body.length }))
    await until(() => heard.text.includes('unsupported_media_type'))
    await new Promise<void>((resolve) => socket.write(body, () => resolve()))
    socket.write(healthRequest)
    await until(() => heard.text.includes('healthy'))
    expect(heard.ended).toBe(false)
    socket.destroy()
  })

  it('that is malformed leaves its connection in order', async () => {
    backend = await startTestBackend({ certificates })
    const socket = await backend.open()
    const heard = listenTo(socket)
    const body = Buffer.alloc(1024 * 1024, 'a')
    socket.write(head({ ...multipart, 'content-length': body.length }))
    socket.write(body)
    socket.write(healthRequest)
    await until(() => heard.text.includes('healthy'))
    expect(heard.text).toMatch(/^HTTP\/1.1 400 [^]*invalid_multipart[^]*HTTP\/1.1 200 /)
    socket.destroy()
  })

  it('refused in the middle of a file can still be sent to its end, and the connection serves on', async () => {
    backend = await startTestBackend({ certificates })
    const socket = await backend.open()
    const heard = listenTo(socket)
    socket.write(head({ ...multipart, 'transfer-encoding': 'chunked' }))
    const send = async (bytes: Buffer) => {
      socket.write(`${bytes.length.toString(16)}\r\n`)
      socket.write(bytes)
      if (!socket.write('\r\n')) await new Promise((resolve) => socket.once('drain', resolve))
    }
    const part = '--x\r\ncontent-disposition: form-data; name="images"; filename="a.png"\r\n\r\n'
    await send(Buffer.from(part))
    const chunk = Buffer.alloc(1024 * 1024, 'a')
    for (let sent = 0; sent <= maxImageBytes; sent += chunk.length) await send(chunk)
    await until(() => heard.text.includes('body_too_large'))
    for (let more = 0; more < 5; more++) await send(chunk)
    socket.write(`0\r\n\r\n${healthRequest}`)
    await until(() => heard.text.includes('healthy') || heard.ended)
    expect(heard.text).toMatch(/^HTTP\/1.1 413 [^]*HTTP\/1.1 200 /)
    socket.destroy()
  })

  it('shorter than its Content-Length that never ends holds no slot', async () => {
    backend = await startTestBackend({ certificates })
    const socket = await backend.open()
    const heard = listenTo(socket)
    socket.write(head({ ...multipart, 'content-length': 1000, 'x-deadline-ms': 50 }))
    socket.write('--x\r\n')
    await until(() => heard.text.includes('deadline_exceeded'))
    expect(heard.text).toMatch(/^HTTP\/1.1 504 /)
    expect(backend.engine.jobs).toHaveLength(0)
    socket.destroy()
  })
})

describe('the server', () => {
  it('answers an unusable Host or target with the one body', async () => {
    backend = await startTestBackend({ certificates })
    for (const request of [
      'GET /health HTTP/1.1\r\nhost: a b@c\r\n\r\n',
      'GET //\\ HTTP/1.1\r\nhost: a\r\n\r\n',
    ]) {
      const socket = await backend.open()
      const heard = listenTo(socket)
      socket.write(request)
      await until(() => heard.text.includes('}}'))
      expect(heard.text).toMatch(/^HTTP\/1.1 404 [^]*"not_found"/)
      socket.destroy()
    }
  })

  it('when stopping lets a running answer end, turns newcomers away and says that it is not ready', async () => {
    backend = await startTestBackend({ certificates })
    let go = () => {}
    backend.engine.beforeBatch = (index) =>
      index === 1 ? new Promise((resolve) => (go = resolve)) : Promise.resolve()
    const init = { method: 'POST', headers: { 'content-type': 'application/json' } }
    const asked = backend.fetch('/generate/text', { ...init, body: '{"prompt":"a"}' })
    await until(() => backend.engine.running.size === 1)
    const stopped = backend.stopServer()
    // Connections that are made only now are answered too.
    const other = new Agent({ connect: clientOf(backend) })
    const health = await fetch(`https://localhost:${backend.port}/health`, { dispatcher: other })
    expect([health.status, await health.json()]).toEqual([
      503,
      { status: 'unavailable', reason: 'shutting_down' },
    ])
    const late = await backend.fetch('/generate/text', { ...init, body: '{"prompt":"b"}' })
    expect([late.status, late.headers.get('retry-after')]).toEqual([503, '2'])
    expect(await late.json()).toMatchObject({ error: { code: 'shutting_down' } })
    go()
    expect((await asked).status).toBe(200)
    await stopped
    await expect(backend.fetch('/health')).rejects.toThrow('fetch failed')
    await other.destroy()
  })

  describe('when stopping, on the connection of a running request', () => {
    const ask = (body: string) => postJson('/generate/text', body)

    /** A request of which a part is done when the server begins to stop, on a connection of its own. */
    async function stopDuring(body: string, isUnderWay: (heard: { text: string }) => boolean) {
      backend = await startTestBackend({ certificates })
      let go = () => {}
      backend.engine.beforeBatch = (index) =>
        index === 1 ? new Promise((resolve) => (go = resolve)) : Promise.resolve()
      const socket = await backend.open()
      const heard = listenTo(socket)
      socket.write(ask(body))
      await until(() => backend.engine.running.size === 1 && isUnderWay(heard))
      const stopped = backend.stopServer()
      go()
      return { socket, heard, stopped }
    }

    it('says with the answer that there will be no other', async () => {
      const { heard, stopped } = await stopDuring('{"prompt":"a"}', () => true)
      await stopped
      expect(heard.text).toMatch(/^HTTP\/1.1 200 [^]*\r\nconnection: close\r\n/i)
    })

    it('answers what is sent behind a stream, which could not say so any more', async () => {
      const { socket, heard, stopped } = await stopDuring(
        '{"prompt":"a","stream":true}',
        ({ text }) => text.includes('event: delta'),
      )
      await until(() => heard.text.includes('event: end'))
      socket.write(ask('{"prompt":"b"}'))
      await until(() => heard.ended)
      expect(heard.text).toMatch(/HTTP\/1.1 503 [^]*"shutting_down"/)
      await stopped
    })
  })

  it('when stopping ends an answer that takes too long with an error', async () => {
    backend = await startTestBackend({ certificates })
    backend.engine.beforeBatch = (index) =>
      index === 1 ? new Promise(() => {}) : Promise.resolve()
    const init = { method: 'POST', headers: { 'content-type': 'application/json' } }
    const body = '{"prompt":"a","stream":true}'
    const response = await backend.fetch('/generate/text', { ...init, body })
    const stopped = backend.stopServer({ drainMs: 50, hurry: new AbortController().signal })
    expect(await response.text()).toContain('"shutting_down"')
    await stopped
    expect(backend.engine.running.size).toBe(0)
  })

  it('when hurried ends what runs at once', async () => {
    backend = await startTestBackend({ certificates })
    backend.engine.beforeBatch = (index) =>
      index === 1 ? new Promise(() => {}) : Promise.resolve()
    const init = { method: 'POST', headers: { 'content-type': 'application/json' } }
    const body = '{"prompt":"a","stream":true}'
    const response = await backend.fetch('/generate/text', { ...init, body })
    const hurry = new AbortController()
    const stopped = backend.stopServer({ drainMs: 3_600_000, hurry: hurry.signal })
    hurry.abort()
    expect(await response.text()).toContain('"shutting_down"')
    await stopped
  })
})
