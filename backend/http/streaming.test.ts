import { request as httpsRequest } from 'node:https'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import {
  makeCertificates,
  ManualTimers,
  startTestBackend,
  until,
  type TestBackend,
} from '../../test/support/backends/test-backend.ts'
import { ServiceError } from '../../shared/api/errors.ts'
import { defaultDeadlineMs, maxDeadlineMs } from '../../shared/api/limits.ts'
import type { CertificateSet } from '../../shared/node/certificates/create-certificates.ts'

const never = () => new Promise<void>(() => {})
const heartbeatMs = 10_000
const headerDelayMs = 300

let certificates: CertificateSet
let backend: TestBackend
let timers: ManualTimers
beforeAll(async () => {
  certificates = await makeCertificates('edge')
})
afterEach(() => backend.stop())

async function start() {
  timers = new ManualTimers()
  backend = await startTestBackend({ certificates, after: timers.after, heartbeatMs })
  return backend.engine
}

function ask(stream: boolean, options: { signal?: AbortSignal; deadlineMs?: number } = {}) {
  const { signal = new AbortController().signal, deadlineMs } = options
  const headers: Record<string, string> = { 'content-type': 'application/json' }
  if (deadlineMs !== undefined) headers['x-deadline-ms'] = String(deadlineMs)
  const body = JSON.stringify({ prompt: 'a', stream })
  return backend.fetch('/generate/text', { method: 'POST', headers, body, signal })
}

/** Reads until `text` has come. */
async function readUntil(reader: ReadableStreamDefaultReader<Uint8Array>, text: string) {
  let read = ''
  while (!read.includes(text)) {
    const { done, value } = await reader.read()
    if (done) throw new Error(`The stream ended before ${text}: ${read}`)
    read += new TextDecoder().decode(value)
  }
  return read
}

function readerOf(response: { body: unknown }) {
  return (response.body as ReadableStream<Uint8Array>).getReader()
}

describe('a stream', () => {
  it('gets its headers with the first event, before any text', async () => {
    const engine = await start()
    engine.beforeBatch = never
    const response = await ask(true)
    expect(response.status).toBe(200)
    expect(await readUntil(readerOf(response), '\n\n')).toMatch(/^event: queued\n/)
  })

  it('gets its headers without an event when the engine takes long', async () => {
    const engine = await start()
    engine.beforeQueued = never
    const asked = ask(true)
    await until(() => engine.running.size === 1)
    await until(() => timers.fire(headerDelayMs) === 1)
    expect((await asked).status).toBe(200)
  })

  it('is a plain error answer when it fails before its headers', async () => {
    const engine = await start()
    engine.beforeQueued = () =>
      Promise.reject(new ServiceError('model_loading', 'The model is loading'))
    const response = await ask(true)
    expect(response.status).toBe(503)
    expect(response.headers.get('content-type')).toBe('application/json')
    expect(await response.json()).toMatchObject({ error: { code: 'model_loading' } })
  })

  it('ends with an error event when it fails later', async () => {
    const engine = await start()
    engine.beforeBatch = async (index) => {
      if (index === 1) throw new ServiceError('engine_restarted', 'The engine was restarted')
    }
    const response = await ask(true)
    const text = await response.text()
    expect(text).toContain('data: {"text":"A red"}')
    const [last = '', comment] = text.trimEnd().split('\n\n').slice(-2)
    expect(comment).toBe(': failed engine_restarted')
    expect(last).toMatch(/^event: error\n/)
    expect(JSON.parse(last.slice(last.indexOf('data: ') + 6))).toEqual({
      error: {
        message: 'The engine was restarted',
        type: 'server_error',
        param: null,
        code: 'engine_restarted',
        request_id: response.headers.get('x-request-id'),
      },
    })
    await until(() => backend.logLines.length === 1)
    expect(backend.logLines[0]).toMatchObject({ status: 200, code: 'engine_restarted' })
  })

  it('carries a heartbeat for each interval without an event, and goes on', async () => {
    const engine = await start()
    let go = () => {}
    engine.beforeBatch = (index) =>
      index === 1 ? new Promise((resolve) => (go = resolve)) : Promise.resolve()
    const reader = readerOf(await ask(true))
    await readUntil(reader, 'A red')
    for (let beat = 0; beat < 2; beat += 1) {
      await until(() => timers.fire(heartbeatMs) === 1)
      expect(await readUntil(reader, '\n\n')).toBe(': heartbeat\n\n')
    }
    go()
    expect(await readUntil(reader, 'event: end')).toContain('{"text":" circle"}')
  })

  it('does not run ahead of a reader that stalls', async () => {
    const engine = await start()
    const batch = 'x'.repeat(1000)
    engine.batches = Array.from({ length: 100_000 }, () => batch)
    let batches = 0
    engine.beforeBatch = async (index) => {
      batches = index
    }
    const { request, response } = await stalledRequest()
    await until(() => batches > 100)
    let before
    do {
      before = batches
      await new Promise((resolve) => setTimeout(resolve, 200))
    } while (batches !== before)
    expect(batches).toBeLessThan(engine.batches.length / 2)
    response.destroy()
    request.destroy()
    await until(() => engine.running.size === 0)
  })
})

/** A streamed request whose answer nobody reads. */
function stalledRequest() {
  const { ca, client: cert, clientKey: key } = certificates
  const request = httpsRequest({
    host: 'localhost',
    port: backend.port,
    path: '/generate/text',
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    ca,
    cert,
    key,
    agent: false,
  })
  request.on('error', () => {})
  request.end('{"prompt":"a","stream":true}')
  return new Promise<{
    request: typeof request
    response: NodeJS.ReadableStream & { destroy(): void }
  }>((resolve) => {
    request.once('response', (response) => {
      response.on('error', () => {})
      response.pause()
      resolve({ request, response })
    })
  })
}

describe('a client that leaves', () => {
  it.each([true, false])('before the headers frees the engine (stream: %s)', async (stream) => {
    const engine = await start()
    engine.beforeQueued = never
    const leaving = new AbortController()
    const asked = ask(stream, { signal: leaving.signal })
    await until(() => engine.running.size === 1)
    leaving.abort()
    await expect(asked).rejects.toThrow('aborted')
    await until(() => engine.running.size === 0)
    expect(engine.abortReasons).toMatchObject([{ code: 'cancelled' }])
    await until(() => backend.logLines.length === 1)
    expect(backend.logLines[0]).toMatchObject({ status: 499, code: 'cancelled' })
  })

  it('in the middle of a stream frees the engine', async () => {
    const engine = await start()
    engine.beforeBatch = (index) => (index === 1 ? never() : Promise.resolve())
    const leaving = new AbortController()
    const reader = readerOf(await ask(true, { signal: leaving.signal }))
    await readUntil(reader, 'A red')
    leaving.abort()
    await until(() => engine.running.size === 0)
    expect(engine.abortReasons).toMatchObject([{ code: 'cancelled' }])
  })

  it('while a whole answer is made frees the engine', async () => {
    const engine = await start()
    engine.beforeBatch = (index) => (index === 1 ? never() : Promise.resolve())
    const leaving = new AbortController()
    const asked = ask(false, { signal: leaving.signal })
    await until(() => engine.running.size === 1)
    leaving.abort()
    await expect(asked).rejects.toThrow('aborted')
    await until(() => engine.running.size === 0)
  })

  it('frees all its pipelined requests', async () => {
    const engine = await start()
    engine.beforeBatch = never
    const socket = await backend.open()
    const body = '{"prompt":"a"}'
    const head = `POST /generate/text HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`
    socket.write((head + body).repeat(3))
    await until(() => engine.running.size === 3)
    socket.destroy()
    await until(() => engine.running.size === 0)
    expect(engine.abortReasons).toHaveLength(3)
  })

  it('during its upload leaves nothing behind', async () => {
    await start()
    const socket = await backend.open()
    socket.write(
      'POST /generate/image HTTP/1.1\r\nhost: localhost\r\ncontent-type: multipart/form-data; boundary=x\r\ncontent-length: 1000\r\n\r\n--x\r\ncontent-disposition: form-data; name="images"; filename="a"\r\n\r\nabc',
    )
    await new Promise((resolve) => setTimeout(resolve, 50))
    socket.destroy()
    await until(() => backend.logLines.length === 1)
    expect(backend.logLines[0]).toMatchObject({ status: 499, code: 'cancelled' })
  })
})

describe('the deadline', () => {
  it.each([true, false])('answers 504 before the headers (stream: %s)', async (stream) => {
    const engine = await start()
    engine.beforeQueued = never
    const asked = ask(stream, { deadlineMs: 1234 })
    await until(() => engine.running.size === 1)
    timers.fire(1234)
    const response = await asked
    expect(response.status).toBe(504)
    expect(await response.json()).toMatchObject({
      error: { code: 'deadline_exceeded', message: 'The request took longer than its 1234 ms' },
    })
    expect(engine.running.size).toBe(0)
  })

  it('is reported by an error event after the headers', async () => {
    const engine = await start()
    engine.beforeBatch = (index) => (index === 1 ? never() : Promise.resolve())
    const reader = readerOf(await ask(true, { deadlineMs: 1234 }))
    await readUntil(reader, 'A red')
    timers.fire(1234)
    expect(await readUntil(reader, '}}\n\n')).toMatch(/^event: error\n.*"deadline_exceeded"/)
    expect((await reader.read()).done).toBe(true)
    await until(() => engine.running.size === 0)
  })

  it('answers though the engine does not listen', async () => {
    const engine = await start()
    engine.beforeBatch = never
    engine.deaf = true
    const asked = ask(false, { deadlineMs: 1234 })
    await until(() => engine.running.size === 1)
    timers.fire(1234)
    expect((await asked).status).toBe(504)
  })

  it('is a day at the most', async () => {
    const engine = await start()
    engine.beforeBatch = never
    const asked = ask(false, { deadlineMs: 10 * maxDeadlineMs })
    await until(() => engine.running.size === 1)
    expect(timers.fire(maxDeadlineMs)).toBe(1)
    expect((await asked).status).toBe(504)
  })

  it('cuts the connection of a reader that stalls', async () => {
    const engine = await start()
    engine.batches = Array.from({ length: 100_000 }, () => 'x'.repeat(1000))
    const { request } = await stalledRequest()
    await until(() => engine.running.size === 1)
    expect(timers.fire(defaultDeadlineMs)).toBe(1)
    await until(() => timers.fire(5000) === 1)
    await until(() => backend.logLines.length === 1)
    expect(backend.logLines[0]).toMatchObject({ status: 200 })
    await until(() => engine.running.size === 0)
    request.destroy()
  })
})
