import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { request as httpRequest } from 'node:http'
import { connect } from 'node:net'
import { expect, it } from 'vitest'
import type { ErrorBody } from '../../../shared/api/errors.ts'
import { maxUploadBytes } from '../../../shared/api/limits.ts'
import type { RecordingBackend } from '../backends/recording-backend.ts'
import type { RunningEdge } from './edge-suite.ts'
import { expectError } from '../expect-error.ts'

type Send<Body> = (path: string, body: Body, headers?: Record<string, string>) => Promise<Response>

interface UploadSuite {
  readonly apiKey: string
  readonly edge: () => RunningEdge
  readonly backend: () => RecordingBackend
  readonly post: Send<RequestInit['body']>
  readonly postJson: Send<unknown>
}

/** Behaviour towards large, broken and lying bodies, on every platform of the edge. */
export function describeUploads({ apiKey, edge, backend, post, postJson }: UploadSuite): void {
  it.each(['with a length', 'chunked'])('passes a 20 MB upload through, %s', async (form) => {
    const bytes = randomBytes(20 * 1024 * 1024)
    const body = form === 'chunked' ? new Blob([bytes]).stream() : bytes
    const type = 'multipart/form-data; boundary=XyZ'
    const response = await post('/generate/image', body, { 'content-type': type })
    expect(response.status).toBe(200)
    const seen = await backend().lastSeen()
    expect(seen.headers['content-type']).toBe(type)
    expect(await seen.bodySha256).toBe(createHash('sha256').update(bytes).digest('hex'))
    const length = form === 'chunked' ? undefined : String(bytes.length)
    expect(seen.headers['content-length']).toBe(length)
  })

  it('refuses an upload that says it is too large, before reading it', async () => {
    const answer = await sendRaw(edge().url, '/generate/image', {
      'x-api-key': apiKey,
      'content-type': 'multipart/form-data; boundary=x',
      'content-length': String(maxUploadBytes + 1),
    })
    expect(answer.status).toBe(413)
    expect((JSON.parse(answer.body) as ErrorBody).error.code).toBe('body_too_large')
    expect(backend().seen).toHaveLength(0)
  })

  it('refuses a chunked upload once it is too large', async () => {
    const piece = new Uint8Array(1024 * 1024)
    const answer = await sendRaw(
      edge().url,
      '/generate/image',
      { 'x-api-key': apiKey, 'content-type': 'multipart/form-data; boundary=x' },
      Array.from({ length: 102 }, () => piece),
    )
    expect(answer.status).toBe(413)
    expect((JSON.parse(answer.body) as ErrorBody).error.code).toBe('body_too_large')
  })

  it('believes no more of an upload than its length says', async () => {
    const { hostname, port } = new URL(edge().url)
    const socket = connect(Number(port), hostname)
    socket.on('error', () => undefined)
    const head = [
      'POST /generate/image HTTP/1.1',
      'host: edge',
      `x-api-key: ${apiKey}`,
      'content-type: multipart/form-data; boundary=x',
      'content-length: 10',
    ]
    socket.write([...head, '', '0123456789 and what was not told of'].join('\r\n'))
    await Promise.race([once(socket, 'data'), once(socket, 'close')])
    socket.destroy()
    // All the declared bytes, or none where a client that cannot count is cut off at once.
    const bodies = await Promise.all(backend().seen.map(({ body }) => body.catch(() => '')))
    expect(['0123456789', '', undefined]).toContain(bodies[0]?.toString())
    expect((await postJson('/generate/text', { prompt: 'Hi' })).status).toBe(200)
  })

  it('refuses a JSON body over 2 MiB, with a length and chunked', async () => {
    const text = JSON.stringify({ prompt: 'a', padding: 'x'.repeat(2 * 1024 * 1024) })
    for (const body of [text, new Blob([text]).stream()]) {
      const response = await post('/generate/text', body, { 'content-type': 'application/json' })
      await expectError(response, 413, 'body_too_large')
    }
    expect(backend().seen).toHaveLength(0)
  })

  it('survives uploads that are broken off', async () => {
    const headers = { 'x-api-key': apiKey, 'content-length': '1000000' }
    for (const [path, type] of [
      ['/generate/image', 'multipart/form-data; boundary=x'],
      ['/generate/text', 'application/json'],
    ] as const) {
      const request = httpRequest(edge().url + path, {
        method: 'POST',
        headers: { ...headers, 'content-type': type },
      })
      request.on('error', () => {})
      await new Promise<void>((resolve) => request.write('{', () => resolve()))
      if (path === '/generate/image') await backend().lastSeen()
      request.destroy()
    }
    await expect((await backend().lastSeen()).over).resolves.toBe(false)
    expect((await postJson('/generate/text', { prompt: 'Hi' })).status).toBe(200)
  })

  it('logs uploads that are broken off as those of clients that left', async () => {
    for (let upload = 0; upload < 20; upload += 1) {
      const request = httpRequest(`${edge().url}/generate/image`, {
        method: 'POST',
        headers: {
          'x-api-key': apiKey,
          'x-request-id': `broken-off-${upload}`,
          'content-type': 'multipart/form-data; boundary=x',
          'content-length': '100000',
        },
      })
      request.on('error', () => undefined)
      request.write(new Uint8Array(2_000))
      await expect.poll(() => backend().seen.length, { interval: 5 }).toBe(upload + 1)
      request.destroy()
    }
    const logged = () =>
      edge()
        .output()
        .split('\n')
        .filter((line) => line.includes('"broken-off-'))
        .map((line) => JSON.parse(line) as Record<string, unknown>)
    await expect.poll(logged).toHaveLength(20)
    const left = { level: 'info', status: 499, code: 'cancelled' }
    expect(logged()).toMatchObject(Array.from({ length: 20 }, () => left))
  })

  it('answers 503 when the backend breaks off an upload', async () => {
    backend().answer = (_seen, response) => void response.destroy()
    const form = { 'content-type': 'multipart/form-data; boundary=x' }
    const response = await post('/generate/image', randomBytes(5_000_000), form)
    await expectError(response, 503, 'backend_unavailable')
  })
}

/** A request with exactly these headers; without `pieces` its body never arrives. */
function sendRaw(
  origin: string,
  path: string,
  headers: Record<string, string>,
  pieces: readonly Uint8Array[] = [],
): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const state = { answered: false }
    const request = httpRequest(origin + path, { method: 'POST', headers }, (response) => {
      state.answered = true
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (text: string) => (body += text))
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, body })
        request.destroy()
      })
    })
    // The server may close its side while the body is still being sent.
    request.on('error', (error) => {
      if (!state.answered) reject(error)
    })
    const left = pieces.values()
    const send = () => {
      for (let piece = left.next(); piece.done !== true && !state.answered; piece = left.next()) {
        if (!request.write(piece.value)) return request.once('drain', send)
      }
      if (pieces.length > 0) request.end()
      return request
    }
    request.flushHeaders()
    send()
  })
}
