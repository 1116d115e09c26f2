import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createCertificates } from '../../../shared/node/certificates/create-certificates.ts'
import type { CertificateSet } from '../../../shared/node/certificates/create-certificates.ts'
import { answerJson, RecordingBackend } from '../backends/recording-backend.ts'
import { expectError } from '../expect-error.ts'
import { describeForms } from './form-suite.ts'
import { describeUploads } from './upload-suite.ts'

/** An edge that listens on a real socket. */
export interface RunningEdge {
  readonly url: string
  /** Everything the process has written so far. */
  output(): string
  stop(): Promise<void>
}

export interface EdgeSettings {
  readonly apiKey: string
  readonly backendUrl: string
  readonly certificates: Pick<CertificateSet, 'ca' | 'client' | 'clientKey'>
}

type StartEdge = (settings: EdgeSettings) => Promise<RunningEdge>

/** Long and unusual enough to be found wherever it should not be. */
const apiKey = 'canary-key-3f9d0c7a51b2e6'
const canaryPrompt = 'canary-prompt-88ce21'
const names = { server: ['localhost', '127.0.0.1'], client: 'edge' }
const deadUrl = 'https://localhost:1'

/** Behaviour of the edge on every platform. */
export function describeEdge(platform: string, start: StartEdge): void {
  describe(`edge on ${platform}`, () => {
    let certificates: CertificateSet
    let backend: RecordingBackend
    let edge: RunningEdge

    beforeAll(async () => {
      certificates = await createCertificates(names, Date.now())
      backend = await RecordingBackend.start(certificates)
      edge = await start({ apiKey, backendUrl: backend.url, certificates })
    })
    afterAll(async () => {
      await edge.stop()
      await backend.close()
    })
    beforeEach(() => backend.reset())

    const post = (path: string, body: RequestInit['body'], headers: Record<string, string> = {}) =>
      fetch(`${edge.url}${path}`, {
        method: 'POST',
        body: body ?? null,
        headers: { 'x-api-key': apiKey, ...headers },
        ...(body instanceof ReadableStream && { duplex: 'half' }),
      })
    const postJson = (path: string, value: unknown, headers: Record<string, string> = {}) =>
      post(path, JSON.stringify(value), { 'content-type': 'application/json', ...headers })

    it('GET /health reports that the backend is healthy, without a key', async () => {
      backend.answer = answerJson(200, { status: 'healthy' })
      const response = await fetch(`${edge.url}/health`)
      expect(response.status).toBe(200)
      expect(await response.json()).toEqual({ status: 'healthy' })
      const head = await fetch(`${edge.url}/health`, { method: 'HEAD' })
      expect([head.status, await head.text()]).toEqual([200, ''])
    })

    it('GET /livez and /readyz answer without a key', async () => {
      const alive = await fetch(`${edge.url}/livez`)
      expect([alive.status, await alive.json()]).toEqual([200, { status: 'alive' }])
      backend.answer = answerJson(200, { status: 'healthy' })
      const ready = async () => (await (await fetch(`${edge.url}/readyz`)).json()) as object
      await expect
        .poll(ready)
        .toMatchObject({ status: 'ready', checks: { backend: true, keys: true, limits: true } })
      const head = await fetch(`${edge.url}/readyz`, { method: 'HEAD' })
      expect([head.status, await head.text()]).toEqual([200, ''])
    })

    it.each(['/generate/text', '/generate/image', '/generate/image_url'])(
      'POST %s refuses a missing and a wrong key',
      async (path) => {
        const withHeaders = (headers: Record<string, string>) =>
          fetch(edge.url + path, { method: 'POST', headers })
        const missing = await withHeaders({})
        await expectError(missing, 401, 'missing_api_key')
        expect(missing.headers.get('www-authenticate')).toBe('Bearer')
        await expectError(
          await withHeaders({ authorization: 'Basic YTpi' }),
          401,
          'missing_api_key',
        )
        for (const wrong of [`${apiKey}x`, apiKey.slice(1), 'nothing like it']) {
          await expectError(await withHeaders({ 'x-api-key': wrong }), 401, 'invalid_api_key')
        }
        const bearer = await withHeaders({ authorization: 'Bearer wrong' })
        await expectError(bearer, 401, 'invalid_api_key')
        expect(backend.seen).toHaveLength(0)
      },
    )

    it('POST /generate/text forwards canonical JSON and relays the answer', async () => {
      backend.answer = answerJson(200, { output: 'A cat.' }, { 'set-cookie': 'a=b', server: 'x' })
      const response = await postJson('/generate/text', { prompt: 'Hi', max_tokens: 5, extra: 1 })
      expect(response.status).toBe(200)
      expect(await response.json()).toEqual({ output: 'A cat.' })
      expect(response.headers.get('set-cookie')).toBeNull()
      const seen = await backend.lastSeen()
      expect([seen.method, seen.path, seen.client]).toEqual(['POST', '/generate/text', 'edge'])
      expect(JSON.parse((await seen.body).toString())).toMatchObject({
        prompt: 'Hi',
        max_tokens: 5,
        temperature: 0.7,
        top_p: 0.9,
      })
      expect(response.headers.get('x-request-id')).toBe(seen.headers['x-request-id'])
    })

    it('POST /generate/text takes the key as a bearer token, and the request id given', async () => {
      const response = await fetch(`${edge.url}/generate/text`, {
        method: 'POST',
        headers: {
          authorization: `bearer ${apiKey}`,
          'content-type': 'application/json; charset=utf-8',
          'x-request-id': 'my-own-id-1',
        },
        body: '{"prompt":"Hi"}',
      })
      expect([response.status, response.headers.get('x-request-id')]).toEqual([200, 'my-own-id-1'])
    })

    it('POST /generate/text shows the backend nothing of the client but what it needs', async () => {
      await postJson(
        '/generate/text',
        { prompt: 'Hi' },
        {
          authorization: `Bearer ${apiKey}`,
          cookie: 'session=secret',
          'cf-connecting-ip': '1.2.3.4',
          'x-forwarded-for': '1.2.3.4',
          'x-deadline-ms': '999999999',
          'x-key-id': 'somebody-else',
        },
      )
      const { headers } = await backend.lastSeen()
      expect(JSON.stringify(headers)).not.toMatch(/canary|secret|1\.2\.3\.4|somebody-else/)
      expect(headers['x-key-id']).toBe('default')
      expect(Number(headers['x-deadline-ms'])).toBeLessThanOrEqual(600_000)
    })

    it.each([
      ['not JSON', '{"prompt":', 400, 'invalid_json', null],
      ['broken UTF-8', Buffer.from([0x22, 0xff, 0x22]), 400, 'invalid_json', null],
      ['no prompt', '{}', 400, 'invalid_field', 'prompt'],
      [
        'temperature out of range',
        '{"prompt":"a","temperature":-1}',
        400,
        'invalid_field',
        'temperature',
      ],
      ['a list', '[]', 400, 'invalid_field', null],
      ['an empty body', '', 400, 'invalid_json', null],
    ] as const)('POST /generate/text refuses %s', async (_what, body, status, code, param) => {
      const response = await post('/generate/text', body, { 'content-type': 'application/json' })
      const error = await expectError(response, status, code)
      expect(error.param).toBe(param)
      expect(backend.seen).toHaveLength(0)
    })

    it('refuses other media types, paths and methods', async () => {
      const plain = { 'content-type': 'text/plain' }
      for (const path of ['/generate/text', '/generate/image', '/generate/image_url']) {
        await expectError(await post(path, 'hello', plain), 415, 'unsupported_media_type')
      }
      const noBoundary = { 'content-type': 'multipart/form-data' }
      await expectError(
        await post('/generate/image', 'x', noBoundary),
        415,
        'unsupported_media_type',
      )
      await expectError(await post('/nothing', 'x'), 404, 'not_found')
      const wrongMethod = await fetch(`${edge.url}/generate/text`)
      await expectError(wrongMethod, 405, 'method_not_allowed')
      expect(wrongMethod.headers.get('allow')).toBe('POST, OPTIONS')
      const options = await fetch(`${edge.url}/generate/text`, { method: 'OPTIONS' })
      expect([options.status, options.headers.get('allow')]).toEqual([204, 'POST, OPTIONS'])
    })

    it('relays an error of the backend with its Retry-After', async () => {
      backend.answer = answerJson(429, { error: { code: 'queue_full' } }, { 'retry-after': '2' })
      const response = await postJson('/generate/text', { prompt: 'Hi' })
      expect([response.status, response.headers.get('retry-after')]).toEqual([429, '2'])
      expect(await response.json()).toEqual({ error: { code: 'queue_full' } })
    })

    it('answers 503 when the backend does not accept this edge', async () => {
      backend.answer = answerJson(403, { error: { code: 'client_not_allowed' } })
      const response = await postJson('/generate/text', { prompt: 'Hi' })
      await expectError(response, 503, 'backend_unavailable')
      expect(backend.seen).toHaveLength(1)
    })

    it('relays a stream piece by piece', async () => {
      const pieces = ['event: delta\ndata: {"text":"A"}\n\n', ': heartbeat\n\n', 'event: end\n\n']
      const gates = pieces.map(() => gate())
      backend.answer = async (_seen, response) => {
        response.writeHead(200, {
          'content-type': 'text/event-stream',
          'cache-control': 'no-store',
        })
        response.flushHeaders()
        for (const [index, piece] of pieces.entries()) {
          await gates[index]!.opened
          response.write(piece)
        }
        response.end()
      }
      const response = await postJson('/generate/text', { prompt: 'Hi', stream: true })
      expect(response.headers.get('content-type')).toBe('text/event-stream')
      expect(response.headers.get('cache-control')).toBe('no-store')
      const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
      for (const [index, piece] of pieces.entries()) {
        gates[index]!.open()
        expect(await readChars(reader, piece.length)).toBe(piece)
      }
      expect((await reader.read()).done).toBe(true)
    })

    it.each([0, 2])('relays a burst of events whole, to a reader that waits %s ms', async (ms) => {
      const events = Array.from({ length: 5_000 }, (_, at) => `data: {"text":"${at}"}\n\n`)
      backend.answer = (_seen, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' })
        for (const event of events) response.write(event)
        response.end()
      }
      const response = await postJson('/generate/text', { prompt: 'Hi', stream: true })
      let text = ''
      for await (const piece of response.body!.pipeThrough(new TextDecoderStream())) {
        text += piece
        if (ms > 0) await delay(ms)
      }
      expect(text).toBe(events.join(''))
    })

    it('ends a stream that breaks off with an error event, after whole events only', async () => {
      const opened = gate()
      backend.answer = async (_seen, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' })
        response.write('data: 1\n\n')
        await opened.opened
        response.destroy()
      }
      const response = await postJson('/generate/text', { prompt: 'Hi', stream: true })
      const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
      expect((await reader.read()).value).toBe('data: 1\n\n')
      opened.open()
      let rest = ''
      for (let next = await reader.read(); !next.done; next = await reader.read())
        rest += next.value
      expect(rest).toContain('event: error\ndata: {"error":')
      expect(rest).toContain('backend_unavailable')
    })

    it('tells the backend when the client leaves mid-stream', async () => {
      // A local workerd notices with the next bytes it has to pass on; a deployed Worker notices at once.
      backend.answer = (_seen, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' })
        const ticking = setInterval(() => response.write('event: delta\ndata: {}\n\n'), 20)
        response.on('close', () => clearInterval(ticking))
      }
      const leave = new AbortController()
      const response = await fetch(`${edge.url}/generate/text`, {
        method: 'POST',
        headers: { 'x-api-key': apiKey, 'content-type': 'application/json' },
        body: '{"prompt":"Hi","stream":true}',
        signal: leave.signal,
      })
      await response.body!.getReader().read()
      leave.abort()
      expect(await (await backend.lastSeen()).over).toBe(false)
    })

    // A local workerd does not notice that; a deployed Worker does.
    it.skipIf(platform === 'Worker')('tells the backend when the client leaves early', async () => {
      const leave = new AbortController()
      backend.answer = () => leave.abort()
      const pending = fetch(`${edge.url}/generate/text`, {
        method: 'POST',
        headers: { 'x-api-key': apiKey, 'content-type': 'application/json' },
        body: '{"prompt":"Hi"}',
        signal: leave.signal,
      })
      await expect(pending).rejects.toThrow('aborted')
      expect(await (await backend.lastSeen()).over).toBe(false)
    })

    describeForms({ apiKey, edge: () => edge, backend: () => backend, post, postJson })
    describeUploads({ apiKey, edge: () => edge, backend: () => backend, post, postJson })

    it('POST /generate/image_url refuses URLs that are not public', async () => {
      for (const [type, body] of [
        ['application/json', '{"prompt":"a","image_url":"http://127.0.0.1/a.png"}'],
        ['application/x-www-form-urlencoded', 'prompt=a&image_url=http://169.254.169.254/'],
      ] as const) {
        const response = await post('/generate/image_url', body, { 'content-type': type })
        const error = await expectError(response, 400, 'image_url_refused')
        expect(error.param).toBe('image_url')
      }
      const form = new FormData()
      form.append('prompt', 'a')
      form.append('image_url', 'https://localhost/a.png')
      await expectError(await post('/generate/image_url', form), 400, 'image_url_refused')
      expect(backend.seen).toHaveLength(0)
    })

    it('answers 503 when the backend is down', async () => {
      const lonely = await start({ apiKey, backendUrl: deadUrl, certificates })
      try {
        for (const [path, type, body] of [
          ['/generate/text', 'application/json', '{"prompt":"Hi"}'],
          ['/generate/image', 'multipart/form-data; boundary=x', randomBytes(1_000_000)],
        ] as const) {
          const response = await fetch(lonely.url + path, {
            method: 'POST',
            headers: { 'x-api-key': apiKey, 'content-type': type },
            body,
          })
          expect(response.headers.get('retry-after')).toBe('2')
          await expectError(response, 503, 'backend_unavailable')
        }
        const health = await fetch(`${lonely.url}/health`)
        expect(health.status).toBe(503)
        expect(await health.json()).toEqual({
          status: 'unavailable',
          reason: 'backend_unreachable',
        })
      } finally {
        await lonely.stop()
      }
    })

    it.each([
      ['of another authority', names],
      ['for another name', { ...names, server: ['elsewhere.example'] }],
    ])('sends nothing to a backend with a certificate %s', async (what, strangerNames) => {
      const stranger = await createCertificates(strangerNames, Date.now())
      const impostor = await RecordingBackend.start(stranger)
      // The edge trusts the authority of the impostor with the wrong name, and is trusted by it.
      const trusted = what === 'for another name' ? stranger : certificates
      const fooled = await start({ apiKey, backendUrl: impostor.url, certificates: trusted })
      try {
        const response = await fetch(`${fooled.url}/generate/text`, {
          method: 'POST',
          headers: { 'x-api-key': apiKey, 'content-type': 'application/json' },
          body: '{"prompt":"Hi"}',
        })
        await expectError(response, 503, 'backend_unavailable')
        expect(impostor.seen).toHaveLength(0)
      } finally {
        await fooled.stop()
        await impostor.close()
      }
    })

    it('logs one line per request, and never a key, a prompt or a query', async () => {
      const secret = '/canary-path?token=canary-query'
      await postJson('/generate/text?token=canary-query', { prompt: canaryPrompt })
      await post('/generate/text', `{"prompt":"${canaryPrompt}`, {
        'content-type': 'application/json',
      })
      await post(secret, canaryPrompt)
      await postJson('/generate/image_url', {
        prompt: canaryPrompt,
        image_url: 'http://127.0.0.1/?canary-query',
      })
      const id = 'last-line-of-all'
      await postJson('/generate/text', { prompt: 'Hi' }, { 'x-request-id': id })
      await expect.poll(() => edge.output()).toContain(id)
      expect(edge.output()).not.toContain('canary')
      const line = edge
        .output()
        .split('\n')
        .find((text) => text.includes(id))
      expect(JSON.parse(line ?? '')).toMatchObject({
        request_id: id,
        route: '/generate/text',
        key_id: 'default',
        status: 200,
        request_bytes: 15,
      })
    })
  })
}

async function readChars(
  reader: ReadableStreamDefaultReader<string>,
  length: number,
): Promise<string> {
  let text = ''
  while (text.length < length) {
    const { done, value } = await reader.read()
    if (done) break
    text += value
  }
  return text
}

function gate(): { opened: Promise<void>; open: () => void } {
  let open = (): void => undefined
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open: () => open() }
}
