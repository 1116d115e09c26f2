import { afterEach, describe, expect, it, vi } from 'vitest'
import type { ErrorBody } from '../shared/api/errors.ts'
import { maxImages } from '../shared/api/limits.ts'
import { edgeRoutes, routes } from '../shared/api/routes.ts'
import { BodyMemory } from '../shared/bytes/body-memory.ts'
import { joinChunks } from '../shared/bytes/join-chunks.ts'
import { parseForm } from '../test/support/form.ts'
import { testKeys } from '../test/support/edges/test-keys.ts'
import { testPlatform, type TestPlatformParts } from '../test/support/edges/test-platform.ts'
import { createEdgeApp } from './app.ts'
import { BackendPool } from './backends/pool.ts'
import type { LogLine } from '../shared/log/log-line.ts'
import type { BackendInit } from './backends/exchange.ts'

const png = Uint8Array.from(
  Buffer.from('89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b55', 'hex'),
)

/** An edge on nothing: time, backend and internet are the test's. */
function createTestEdge(parts: TestPlatformParts = {}) {
  const calls: { path: string; init: BackendInit }[] = []
  const lines: LogLine[] = []
  const clock = { ms: 0 }
  const { backend, ...others } = parts
  const app = createEdgeApp(
    testPlatform({
      clock,
      fetchPublic: async () => new Response(png),
      log: (line) => lines.push(line),
      ...others,
      async backend(path, init) {
        calls.push({ path, init })
        return backend?.(path, init) ?? Response.json({ output: 'A cat.' })
      },
    }),
  )
  const post = (path: string, value: unknown, init: RequestInit = {}) =>
    app.request(path, {
      method: 'POST',
      headers: { 'x-api-key': 'right-key', 'content-type': 'application/json' },
      body: JSON.stringify(value),
      ...init,
    })
  return { app, post, calls, lines, clock }
}

async function errorOf(response: Response): Promise<[number, string, string | null]> {
  const { error } = (await response.json()) as ErrorBody
  return [response.status, error.code, error.param]
}

/** Settles when the signal aborts, as a backend call does. */
function untilAborted(signal: AbortSignal): Promise<Response> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error))
  })
}

afterEach(() => vi.useRealTimers())

describe('createEdgeApp()', () => {
  it.each(Object.values(routes))(
    'asks for a key on $method $path as its route says',
    async (route) => {
      const { app, calls } = createTestEdge()
      const response = await app.request(route.path, { method: route.method })
      expect(response.status === 401).toBe(route.scope !== null)
      expect(calls).toHaveLength(route.scope === null ? 1 : 0)
    },
  )

  it('has exactly the routes of the table, which says the scope of each', () => {
    const mounted = createTestEdge()
      .app.routes.filter(({ method }) => method !== 'ALL')
      .map(({ method, path }) => `${method} ${path}`)
    const listed = Object.values(edgeRoutes).map(({ method, path }) => `${method} ${path}`)
    expect(new Set(mounted)).toEqual(new Set(listed))
  })

  it('says at / what there is, without a key and without a backend', async () => {
    const { app, calls } = createTestEdge()
    const response = await app.request('/')
    expect(response.status).toBe(200)
    const { docs, routes: told } = (await response.json()) as { docs: string; routes: string[] }
    for (const { method, path } of Object.values(routes))
      expect(told).toContain(`${method} ${path}`)
    expect((await app.request(docs)).status).toBe(200)
    expect(JSON.stringify(told)).not.toContain('admin')
    expect(calls).toEqual([])
  })

  it('answers a failure of its own with a fixed text and logs what happened', async () => {
    const keys = {
      ...testKeys('right-key').keys,
      verify: () => Promise.reject(new Error('store at 10.0.0.7 is gone')),
    }
    const { post, lines } = createTestEdge({ keys })
    const response = await post('/generate/text', { prompt: 'Hi' })
    const text = await response.clone().text()
    expect(await errorOf(response)).toEqual([500, 'internal', null])
    expect(text).not.toContain('10.0.0.7')
    expect(lines[0]).toMatchObject({ level: 'error', code: 'internal' })
    expect(lines[0]?.['detail']).toContain('store at 10.0.0.7 is gone')
  })

  it('passes the leaving of a client on to the backend before there is an answer', async () => {
    const client = new AbortController()
    const { post, lines } = createTestEdge({
      backend: (_path, { signal }) => {
        queueMicrotask(() => client.abort())
        return untilAborted(signal)
      },
    })
    await post('/generate/text', { prompt: 'Hi' }, { signal: client.signal })
    expect(lines[0]).toMatchObject({ status: 499, code: 'cancelled' })
  })

  it.each([true, false])(
    'ends the fetching of images when the client leaves: stream %s',
    async (stream) => {
      const client = new AbortController()
      const transfers: AbortSignal[] = []
      const { post, calls, lines } = createTestEdge({
        fetchPublic(_url, { signal }) {
          transfers.push(signal)
          queueMicrotask(() => client.abort())
          return untilAborted(signal)
        },
      })
      const fields = { prompt: 'Hi', image_url: 'https://a.example.com/1', stream }
      await post('/generate/image_url', fields, { signal: client.signal })
      expect(transfers.map(({ aborted }) => aborted)).toEqual([true])
      expect(lines[0]).toMatchObject({ status: 499, code: 'cancelled' })
      expect(calls).toEqual([])
    },
  )

  it('ends the fetching of images at the deadline', async () => {
    vi.useFakeTimers()
    const { post, calls } = createTestEdge({
      deadlineMs: 2_000,
      fetchPublic: () => {
        void vi.advanceTimersByTimeAsync(2_001)
        return new Promise(() => undefined)
      },
    })
    const response = await post('/generate/image_url', {
      prompt: 'Hi',
      image_url: 'https://images.example.com/a',
    })
    expect(await errorOf(response)).toEqual([504, 'deadline_exceeded', null])
    expect(calls).toEqual([])
  })

  it('ends a request whose backend is silent past the deadline', async () => {
    vi.useFakeTimers()
    const { post } = createTestEdge({
      backend: (_path, { signal }) => {
        void vi.advanceTimersByTimeAsync(61_001)
        return untilAborted(signal)
      },
    })
    const response = await post('/generate/text', { prompt: 'Hi' })
    expect(await errorOf(response)).toEqual([504, 'deadline_exceeded', null])
  })
})

describe('what requests make the edge hold', () => {
  const urls = ['https://a.example.com/1', 'https://a.example.com/2']
  const kB = new Uint8Array(1_000)
  const picture = () => new Response(Buffer.concat([png, kB]))
  const sized = (bytes: number) => ({
    'x-api-key': 'right-key',
    'content-type': 'application/json',
    'content-length': String(bytes),
  })

  it('counts fetched images before they are held, and gives all back', async () => {
    const bodyMemory = new BodyMemory(5_000)
    const fetchPublic = async () => picture()
    const { post, calls } = createTestEdge({ bodyMemory, fetchPublic })
    const headers = sized(100)
    const ask = (image_url: string[]) =>
      post('/generate/image_url', { prompt: 'Hi', image_url }, { headers })
    expect((await ask(urls)).status).toBe(200)
    expect(bodyMemory.held).toBe(0)
    const refused = await ask([...urls, 'https://a.example.com/3'])
    const { error } = (await refused.clone().json()) as ErrorBody
    expect(await errorOf(refused)).toEqual([429, 'queue_full', null])
    expect(error.message).toMatch(/^Your requests together .* over the limit of 2500$/)
    expect([bodyMemory.held, calls.length]).toEqual([0, 1])
  })

  describe('of a large complete answer', () => {
    const large = 1_000_000
    const setUp = ({ isLengthKnown = true } = {}) => {
      const length: Record<string, string> = isLengthKnown
        ? { 'content-length': String(large) }
        : {}
      const answer = () =>
        new Response(`{"output":"${'a'.repeat(large - 13)}"}`, {
          headers: { 'content-type': 'application/json', ...length },
        })
      const bodyMemory = new BodyMemory(3 * large)
      const target = { id: 'a', send: async () => answer() }
      const parts = { now: () => 0, random: () => 0, deadlineMs: 60_000 }
      const { call: pool } = new BackendPool({ targets: [target], ...parts })
      const { post } = createTestEdge({ bodyMemory, pool })
      const ask = ({
        headers = {},
        ...init
      }: { headers?: Record<string, string>; signal?: AbortSignal } = {}) =>
        post('/generate/text', { prompt: 'Hi' }, { ...init, headers: { ...sized(20), ...headers } })
      return { bodyMemory, ask }
    }

    it('counts until its client has taken it', async () => {
      const { bodyMemory, ask } = setUp()
      const first = await ask()
      expect([first.status, bodyMemory.held]).toEqual([200, large])
      const refused = await ask()
      expect(await errorOf(refused)).toEqual([429, 'queue_full', null])
      expect(bodyMemory.held).toBe(large)
      expect(await first.json()).toEqual({ output: 'a'.repeat(large - 13) })
      expect(bodyMemory.held).toBe(0)
      await (await ask()).body!.cancel()
      expect(bodyMemory.held).toBe(0)
    })

    it('counts while it arrives when its length is unknown', async () => {
      const { bodyMemory, ask } = setUp({ isLengthKnown: false })
      const first = await ask()
      expect([first.status, bodyMemory.held]).toEqual([200, large])
      expect(await errorOf(await ask())).toEqual([429, 'queue_full', null])
      await first.body!.cancel()
      expect(bodyMemory.held).toBe(0)
    })

    it('counts no longer when its client leaves', async () => {
      const { bodyMemory, ask } = setUp()
      const leaving = new AbortController()
      await ask({ signal: leaving.signal })
      leaving.abort()
      expect(bodyMemory.held).toBe(0)
    })

    it('counts twice while a copy is kept of it; without room for that none is kept', async () => {
      const { bodyMemory, ask } = setUp()
      bodyMemory.hold('default', large / 2 - 100)
      const first = await ask({ headers: { 'idempotency-key': 'a' } })
      expect(((await first.json()) as { output: string }).output).toHaveLength(large - 13)
      expect(await errorOf(await ask({ headers: { 'idempotency-key': 'a' } }))).toEqual([
        409,
        'answer_not_kept',
        'Idempotency-Key',
      ])
      await expect.poll(() => bodyMemory.held).toBe(large / 2 - 100)
      bodyMemory.release('default', large / 2 - 100)
    })
  })

  it.each([
    ['an invalid body', {}, 400],
    ['a failing backend', { prompt: 'Hi' }, 503],
  ])('gives all back after %s', async (_what, value, status) => {
    const bodyMemory = new BodyMemory(10_000)
    const backend = () => Promise.reject(new Error('gone'))
    const { post } = createTestEdge({ bodyMemory, backend })
    expect((await post('/generate/text', value, { headers: sized(20) })).status).toBe(status)
    expect(bodyMemory.held).toBe(0)
  })

  it('refuses a body before it is read, and one of unknown length by the most it may have', async () => {
    const bodyMemory = new BodyMemory(4_000_000)
    const { app } = createTestEdge({ bodyMemory })
    const ask = (headers: Record<string, string>) =>
      app.request('/generate/text', {
        method: 'POST',
        headers: { 'x-api-key': 'right-key', 'content-type': 'application/json', ...headers },
        body: new ReadableStream(
          { pull: () => expect.fail('The body was read') },
          { highWaterMark: 0 },
        ),
        duplex: 'half',
      })
    for (const headers of [
      { 'content-length': '2000001' },
      {},
      { 'content-length': '1000001', 'idempotency-key': 'a' },
    ]) {
      expect(await errorOf(await ask(headers))).toEqual([429, 'queue_full', null])
    }
    expect(bodyMemory.held).toBe(0)
  })

  it('no longer holds a body whose client has left', async () => {
    const bodyMemory = new BodyMemory(Infinity)
    const { app } = createTestEdge({ bodyMemory })
    let fail = (_error: Error): void => undefined
    const body = new ReadableStream({
      start: (controller) => void (fail = (error) => controller.error(error)),
    })
    const headers = { 'x-api-key': 'right-key', 'content-length': '9999', 'idempotency-key': 'a' }
    const init = { method: 'POST', headers, body, duplex: 'half' as const }
    const pending = app.request('/generate/image', init)
    await expect.poll(() => bodyMemory.held).toBe(2 * 9_999)
    fail(new Error('gone'))
    expect((await pending).status).toBe(499)
    expect(bodyMemory.held).toBe(0)
  })
})

describe('keys that are not valid', () => {
  const setUp = () => {
    let address = '2001:db8::1'
    const { post, lines, clock } = createTestEdge({ clientAddress: () => address })
    const ask = async (key: string, from: string) => {
      address = from
      const headers = { 'x-api-key': key, 'content-type': 'application/json' }
      return post('/generate/text', { prompt: 'Hi' }, { headers })
    }
    return { ask, lines, clock }
  }

  it('are braked by network, for a minute; valid ones of the same network pass', async () => {
    const { ask, lines, clock } = setUp()
    for (let attempt = 0; attempt < 100; attempt += 1) {
      expect((await ask(`wrong-${attempt}`, `2001:db8::${attempt}`)).status).toBe(401)
    }
    clock.ms = 15_000
    const braked = await ask('wrong-100', '2001:db8::ffff')
    expect(braked.headers.get('retry-after')).toBe('45')
    expect(await errorOf(braked)).toEqual([429, 'rate_limited', null])
    expect(lines.at(-1)).toMatchObject({ address: '2001:db8::ffff', code: 'rate_limited' })
    expect((await ask('right-key', '2001:db8::1')).status).toBe(200)
    expect((await ask('wrong', '2001:db8:0:1::1')).status).toBe(401)
    clock.ms = 60_000
    expect((await ask('wrong', '2001:db8::1')).status).toBe(401)
  })

  it('count for all routes together', async () => {
    const { app } = createTestEdge({ clientAddress: () => '192.0.2.1' })
    const headers = { 'x-api-key': 'wrong' }
    const statuses: number[] = []
    for (let attempt = 0; attempt < 102; attempt += 1) {
      const path = attempt % 2 === 0 ? '/admin/keys' : '/admin/usage'
      statuses.push((await app.request(path, { headers })).status)
    }
    expect(statuses.slice(-3)).toEqual([401, 429, 429])
  })

  it('are told without counting where there is no address', async () => {
    const { app } = createTestEdge()
    const headers = { 'x-api-key': 'wrong' }
    const ask = async () => (await app.request('/admin/keys', { headers })).status
    for (let attempt = 0; attempt < 110; attempt += 1) expect(await ask()).toBe(401)
  })
})

describe('administration that is refused', () => {
  it.each([
    ['without a key', {}, 'missing_api_key', null],
    ['with a wrong one', { 'x-api-key': 'wrong' }, 'invalid_api_key', null],
    ['with a bad request', { 'x-api-key': 'right-key' }, 'not_found', 'default'],
  ])('leaves an audit line: %s', async (_how, headers, code, by_key_id) => {
    const { app, lines } = createTestEdge({ clientAddress: () => '192.0.2.1' })
    await app.request('/admin/keys/aaaaaaaaaaaa/revoke', { method: 'POST', headers })
    expect(lines[0]).toEqual({
      level: 'warn',
      message: 'audit',
      request_id: expect.any(String) as string,
      change: 'revokeKey refused',
      changed_key_id: 'aaaaaaaaaaaa',
      code,
      by_key_id,
      address: '192.0.2.1',
    })
  })

  it('does not write down what is no id', async () => {
    const { app, lines } = createTestEdge()
    await app.request('/admin/keys/dsk_secret', { headers: { 'x-api-key': 'right-key' } })
    expect(lines[0]).toMatchObject({ message: 'audit', code: 'not_found' })
    expect(JSON.stringify(lines)).not.toContain('dsk_secret')
  })
})

describe('GET /health', () => {
  it('asks the backend once a second at most', async () => {
    const { app, calls, clock } = createTestEdge()
    await app.request('/health')
    clock.ms = 999
    await app.request('/health')
    expect(calls).toHaveLength(1)
    clock.ms = 1_000
    await app.request('/health')
    expect(calls).toHaveLength(2)
  })

  it('asks it once for all that want to know at the same time', async () => {
    const { app, calls } = createTestEdge({
      backend: async () => {
        await new Promise((resolve) => setTimeout(resolve, 20))
        return Response.json({ status: 'healthy' })
      },
    })
    const answers = await Promise.all(
      Array.from({ length: 100 }, async () => app.request('/health')),
    )
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
    expect(calls).toHaveLength(1)
  })

  it.each([
    [503, { status: 'unavailable', reason: 'model_loading' }, 'model_loading'],
    [503, { status: 'unavailable', reason: 'engine_restarting' }, 'engine_restarting'],
    [503, { status: 'unavailable', reason: 'something else' }, 'backend_unreachable'],
    [500, 'no JSON object', 'backend_unreachable'],
  ])('tells why, after status %i and %o', async (status, body, reason) => {
    const { app } = createTestEdge({ backend: async () => Response.json(body, { status }) })
    const response = await app.request('/health')
    expect(response.status).toBe(503)
    expect(await response.json()).toEqual({ status: 'unavailable', reason })
  })

  it('does not wait long for a silent backend', async () => {
    vi.useFakeTimers()
    const { app } = createTestEdge({ backend: (_path, { signal }) => untilAborted(signal) })
    const pending = app.request('/health')
    await vi.advanceTimersByTimeAsync(800)
    expect((await pending).status).toBe(503)
  })
})

describe('GET /livez and /readyz', () => {
  const healthy = async () => Response.json({ status: 'healthy' })
  const allHold = { backend: true, keys: true, limits: true, certificate: true, not_draining: true }
  const broken = () => Promise.reject(new Error('disk I/O error'))

  it('is alive without asking anybody', async () => {
    const { app, calls } = createTestEdge({ backend: (_path, { signal }) => untilAborted(signal) })
    const response = await app.request('/livez')
    expect([response.status, await response.json()]).toEqual([200, { status: 'alive' }])
    expect(calls).toHaveLength(0)
  })

  it('leaves the log to requests, at the usual level', async () => {
    const { app, lines } = createTestEdge({
      backend: async () => Response.json({}, { status: 503 }),
    })
    for (const path of ['/livez', '/readyz', '/health']) await app.request(path)
    expect(lines.map(({ route, level }) => [route, level])).toEqual([
      ['/livez', 'debug'],
      ['/readyz', 'debug'],
      ['/health', 'error'],
    ])
  })

  it('is ready when every check holds', async () => {
    const { app } = createTestEdge({ backend: healthy })
    const response = await app.request('/readyz')
    expect([response.status, await response.json()]).toEqual([
      200,
      { status: 'ready', checks: allHold },
    ])
  })

  it.each([
    ['backend', { backend: async () => Response.json({}, { status: 503 }) }],
    ['keys', { keyStore: { checkSecret: broken } }],
    ['limits', { meter: { usage: broken } }],
    ['certificate', { certificateIsValid: () => false }],
    ['not_draining', { stopping: { begun: true, cut: false, signal: undefined } }],
  ])('is not ready when %s fails', async (check, parts) => {
    const { app } = createTestEdge({ backend: healthy, ...(parts as TestPlatformParts) })
    const response = await app.request('/readyz')
    expect([response.status, await response.json()]).toEqual([
      503,
      { status: 'not_ready', checks: { ...allHold, [check]: false } },
    ])
  })

  it('has no check of a certificate that the platform does not show', async () => {
    const { app } = createTestEdge({ backend: healthy, certificateIsValid: undefined })
    const { checks } = (await (await app.request('/readyz')).json()) as { checks: object }
    expect(checks).not.toHaveProperty('certificate')
  })

  it('asks backend and stores once for all probes of a second, of /health too', async () => {
    let asked = 0
    const keyStore = {
      checkSecret() {
        asked += 1
        return 'secret'
      },
    } as unknown as TestPlatformParts['keyStore']
    const { app, calls, clock } = createTestEdge({
      backend: healthy,
      ...(keyStore && { keyStore }),
    })
    const probe = (path: string) => Array.from({ length: 50 }, async () => app.request(path))
    await Promise.all([...probe('/readyz'), ...probe('/health')])
    expect([calls.length, asked]).toEqual([1, 1])
    clock.ms = 1_000
    await app.request('/readyz')
    expect([calls.length, asked]).toEqual([2, 2])
  })

  it('does not wait long for a store that is silent', async () => {
    vi.useFakeTimers()
    const silent = { usage: () => new Promise(() => {}) } as unknown as TestPlatformParts['meter']
    const { app } = createTestEdge({ backend: healthy, ...(silent && { meter: silent }) })
    const pending = app.request('/readyz')
    await vi.advanceTimersByTimeAsync(800)
    const { checks } = (await (await pending).json()) as { checks: object }
    expect(checks).toEqual({ ...allHold, limits: false })
  })
})

describe('POST /generate/image', () => {
  /** 300 KB of an upload, and then its client is gone. */
  const brokenOff = () => {
    let pieces = 0
    return new ReadableStream({
      type: 'bytes',
      pull(controller) {
        pieces += 1
        if (pieces > 30) controller.error(new Error('aborted'))
        else controller.enqueue(new Uint8Array(10_000))
      },
    })
  }

  it.each([
    ['with a length', { 'content-length': '2000000' }, false],
    ['chunked', {}, false],
    ['with a length, looked into', { 'content-length': '2000000' }, true],
    ['chunked, looked into', {}, true],
  ])('holds broken uploads against no backend: %s', async (_how, headers, stickyByContent) => {
    const asked: string[] = []
    const targets = ['a', 'b'].map((id) => ({
      id,
      async send(path: string, { body }: BackendInit) {
        if (path !== '/health') asked.push(id)
        await new Response(body as ReadableStream).arrayBuffer()
        return Response.json({ output: 'A cat.' })
      },
    }))
    const parts = { targets, now: () => 0, random: () => 0, deadlineMs: 60_000 }
    const { app, lines } = createTestEdge({ stickyByContent, pool: new BackendPool(parts).call })
    for (let upload = 0; upload < 20; upload += 1) {
      await app.request('/generate/image', {
        method: 'POST',
        headers: {
          'x-api-key': 'right-key',
          'content-type': 'multipart/form-data; boundary=x',
          ...headers,
        },
        body: brokenOff(),
        duplex: 'half',
      })
    }
    const left = { level: 'info', status: 499, code: 'cancelled' }
    expect(lines).toMatchObject(Array.from({ length: 20 }, () => left))
    expect(asked).toEqual(Array.from({ length: 20 }, () => 'a'))
  })
})

describe('POST /generate/image_url', () => {
  it('takes the time of fetching off the deadline', async () => {
    const { post, calls, clock } = createTestEdge({
      fetchPublic: async () => {
        clock.ms += 5_000
        return new Response(png)
      },
    })
    await post('/generate/image_url', { prompt: 'Hi', image_url: 'https://a.example.com/' })
    expect(calls[0]?.init.headers['x-deadline-ms']).toBe('55000')
  })

  it('keeps the order of the images, and the prompt as it is', async () => {
    const prompt = '--part-\r\ncontent-disposition: form-data; name="seed"\r\n\r\n7 \u{1F600}'
    const { post, calls } = createTestEdge({
      fetchPublic: async (url) => {
        if (url.endsWith('/0')) await new Promise((resolve) => setTimeout(resolve, 20))
        const mark = new TextEncoder().encode(new URL(url).pathname)
        return new Response(Buffer.concat([png, mark]))
      },
    })
    const urls = Array.from({ length: 6 }, (_, index) => `https://a.example.com/${index}`)
    await post('/generate/image_url', { prompt, image_url: urls })
    const { init } = calls[0]!
    const form = await parseForm(
      joinChunks(init.body as Uint8Array[]),
      init.headers['content-type'],
    )
    expect(form.get('prompt')).toBe(prompt)
    expect(form.has('seed')).toBe(false)
    const files = await Promise.all(form.getAll('images').map((file) => (file as File).text()))
    expect(files.map((text) => text.slice(-2))).toEqual(['/0', '/1', '/2', '/3', '/4', '/5'])
  })

  it('says which image could not be fetched, and nothing about its server', async () => {
    const { post, lines } = createTestEdge({
      fetchPublic: async (url) => {
        if (url.endsWith('/1'))
          throw new TypeError('fetch failed', { cause: new Error('10.0.0.1') })
        return new Response(png)
      },
    })
    const urls = ['https://a.example.com/0', 'https://a.example.com/1']
    const response = await post('/generate/image_url', { prompt: 'Hi', image_url: urls })
    expect(((await response.clone().json()) as ErrorBody).error.message).toBe(
      'Cannot fetch image 2 of 2: its server cannot be reached',
    )
    expect(await errorOf(response)).toEqual([422, 'image_fetch_failed', 'image_url'])
    expect(lines[0]?.['detail']).toBe('fetch failed < 10.0.0.1')
  })

  it('refuses more URLs than images are allowed', async () => {
    const urls = Array.from({ length: maxImages + 1 }, () => 'https://a.example.com/')
    const { post } = createTestEdge()
    const response = await post('/generate/image_url', { prompt: 'Hi', image_url: urls })
    expect(await errorOf(response)).toEqual([400, 'invalid_field', 'image_url'])
  })

  it('takes the URLs of a form, however the field is spelled', async () => {
    const { post, calls } = createTestEdge()
    const response = await post('/generate/image_url', undefined, {
      headers: {
        'x-api-key': 'right-key',
        'content-type': 'application/x-www-form-urlencoded',
      },
      body: 'prompt=Hi&image_url[]=https://a.example.com/1&image_url[]=https://a.example.com/2&seed=',
    })
    expect(response.status).toBe(200)
    const { init } = calls[0]!
    const form = await parseForm(
      joinChunks(init.body as Uint8Array[]),
      init.headers['content-type'],
    )
    expect(form.getAll('images')).toHaveLength(2)
  })
})
