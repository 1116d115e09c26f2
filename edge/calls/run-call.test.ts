import { getEventListeners } from 'node:events'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { ErrorBody } from '../../shared/api/errors.ts'
import { formatEvent } from '../../shared/api/wire/sse.ts'
import {
  formatEndComment,
  formatFailedComment,
  formatUsageComment,
} from '../../shared/forward/usage-comment.ts'
import { testKeys, testSqlite } from '../../test/support/edges/test-keys.ts'
import { testPlatform, type TestPlatformParts } from '../../test/support/edges/test-platform.ts'
import { createEdgeApp } from '../app.ts'
import type { KeyLimits } from '../keys/key-record.ts'
import type { LogLine } from '../../shared/log/log-line.ts'
import { KeyMeter } from '../limits/key-meter.ts'
import { localMeter } from '../limits/local-meter.ts'
import { timings } from '../../test/support/answer-timings.ts'

const noon = Date.UTC(2026, 10, 22, 12)
const usage = { prompt_tokens: 30, image_tokens: 20, completion_tokens: 7 }
const answerUsage = { ...usage, cached_tokens: 5 }
const rest = { finish_reason: 'stop', usage: answerUsage, timings, request_id: 'r' } as const
const usageHeader = { 'x-usage': '30 20 7' }
const whole = () => Response.json({ output: 'A cat.', ...rest }, { headers: usageHeader })
const end = formatEvent('end', rest) + formatEndComment(usage)
const delta =
  formatEvent('delta', { text: 'A' }) + formatUsageComment({ ...usage, completion_tokens: 3 })

function eventStream(body: ReadableStream<Uint8Array>): Response {
  return new Response(body, { headers: { 'content-type': 'text/event-stream' } })
}

/** A stream the test writes to. */
function openStream() {
  let controller!: ReadableStreamDefaultController<Uint8Array>
  let cancelled = false
  const body = new ReadableStream<Uint8Array>({
    start: (given) => {
      controller = given
    },
    cancel: () => {
      cancelled = true
    },
  })
  return {
    body,
    write: (text: string) => controller.enqueue(new TextEncoder().encode(text)),
    close: () => controller.close(),
    fail: () => controller.error(new Error('connection reset')),
    cancelled: () => cancelled,
  }
}

function setUp(limits: KeyLimits, parts: TestPlatformParts = {}) {
  const clock = { ms: noon }
  const sql = testSqlite()
  const lines: LogLine[] = []
  const { keys, ...keyParts } = testKeys('root', clock)
  const key = { id: 'shop', scopes: ['text', 'image', 'image_url', 'admin'] as const, limits }
  const app = createEdgeApp(
    testPlatform({
      rootKey: 'root',
      clock,
      keys: { ...keys, verify: async () => ({ key }) },
      ...keyParts,
      meter: localMeter(new KeyMeter(sql), () => clock.ms),
      log: (line) => lines.push(line),
      backend: async () => whole(),
      ...parts,
    }),
  )
  const post = (path = '/generate/text', init: RequestInit = {}) =>
    app.request(path, {
      method: 'POST',
      headers: { 'x-api-key': 'any', 'content-type': 'application/json' },
      body: JSON.stringify({ prompt: 'Hi', max_tokens: 50 }),
      ...init,
    })
  const ledger = async () => {
    const response = await app.request('/admin/usage?key_id=shop', {
      headers: { 'x-api-key': 'a' },
    })
    return ((await response.json()) as { usage: Record<string, number>[] }).usage
  }
  const running = () => sql.all('SELECT call_id FROM calls').length
  return { app, post, ledger, running, clock, lines }
}

/** Written after the answer's end, and so perhaps after the lines of other requests. */
function lineOfCall(lines: readonly LogLine[]): LogLine | undefined {
  return lines.find(({ route }) => route === '/generate/text')
}

async function errorOf(response: Response): Promise<[number, string, string | null]> {
  const { error } = (await response.json()) as ErrorBody
  return [response.status, error.code, response.headers.get('retry-after')]
}

afterEach(() => vi.useRealTimers())

describe('runCalls()', () => {
  it('tells where the key stands, and refuses what is over its limits', async () => {
    const { post, clock, ledger } = setUp({ requestsPerMinute: 2, tokensPerDay: 10_000 })
    const first = await post()
    expect(Object.fromEntries(first.headers)).toMatchObject({
      'x-ratelimit-limit-requests': '2',
      'x-ratelimit-remaining-requests': '1',
      'x-ratelimit-reset-requests': '61',
      'x-ratelimit-limit-tokens-day': '10000',
      'x-ratelimit-remaining-tokens-day': String(10_000 - 37),
      'x-ratelimit-reset-tokens-day': '43200',
    })
    await first.text()
    clock.ms += 20_000
    await (await post()).text()
    const refused = await post()
    expect(refused.headers.get('x-ratelimit-remaining-requests')).toBe('0')
    expect(refused.headers.get('x-ratelimit-remaining-tokens-day')).toBe(String(10_000 - 2 * 37))
    expect(await errorOf(refused)).toEqual([429, 'rate_limited', '41'])
    clock.ms += 41_000
    const third = await post()
    expect(third.status).toBe(200)
    await third.text()
    expect(await ledger()).toMatchObject([{ requests: 3, prompt_tokens: 90, image_tokens: 60 }])
  })

  it('lets the next call in as soon as the last byte of an answer is there', async () => {
    const { post } = setUp({ concurrentRequests: 1, tokensPerMinute: 5_000 })
    for (let call = 0; call < 20; call += 1) {
      const response = await post()
      expect(response.status).toBe(200)
      await response.body?.getReader().read()
    }
  })

  it('reserves for an upload as many tokens as images of the model can take', async () => {
    const granted: (string | undefined)[] = []
    const { post } = setUp(
      { tokensPerDay: 1_000_000 },
      {
        imageTokens: () => 1_338,
        async backend(_path, { headers }) {
          granted.push(headers['x-granted-tokens'])
          return whole()
        },
      },
    )
    const headers = { 'x-api-key': 'any', 'content-type': 'multipart/form-data; boundary=b' }
    await post('/generate/image', { headers, body: '--b--' })
    await post()
    // 16 images, the chat template and 4,000 tokens of an answer; then no images.
    expect(granted).toEqual([String(16 * 1_338 + 64 + 4_000), String(2 + 64 + 50)])
  })

  it('sends on what it reserved, at most what is left', async () => {
    const sent: (string | undefined)[][] = []
    const open = openStream()
    const { post, ledger } = setUp(
      { tokensPerDay: 500, imagesPerDay: 3 },
      {
        async backend(_path, { headers }) {
          sent.push([headers['x-granted-tokens'], headers['x-granted-images']])
          return sent.length === 1 ? eventStream(open.body) : whole()
        },
      },
    )
    // 50 tokens of an answer, 2 bytes of a prompt, and what the template adds.
    const running = await post()
    const upload = () =>
      post('/generate/image', {
        headers: { 'x-api-key': 'a', 'content-type': 'multipart/form-data; boundary=b' },
        body: '--b--',
      })
    await (await upload()).text()
    // While all is reserved, nothing more comes in.
    expect(sent).toEqual([
      ['116', '0'],
      ['384', '3'],
    ])
    open.write(delta + end)
    open.close()
    await running.text()
    await (await upload()).text()
    // An upload whose backend does not say so counts as one image.
    expect(sent.at(-1)).toEqual([String(500 - 2 * 37), '2'])
    expect(await ledger()).toMatchObject([{ requests: 3, prompt_tokens: 90 }])
  })

  it.each([
    [{}, undefined],
    [{ requestsPerMinute: 9, concurrentRequests: 9 }, undefined],
    [{ imagesPerDay: 9 }, undefined],
    [{ tokensPerMinute: 9 }, '9'],
  ])('grants tokens only where the key has a limit of them (%j)', async (limits, expected) => {
    const sent: (string | undefined)[] = []
    const { post } = setUp(limits, {
      async backend(_path, { headers }) {
        sent.push(headers['x-granted-tokens'])
        return whole()
      },
    })
    await (await post()).text()
    expect(sent).toEqual([expected])
  })

  it('never grants more in sum than a limit, however many calls run at once', async () => {
    const granted: number[] = []
    const { post } = setUp(
      { tokensPerDay: 1_000 },
      {
        async backend(_path, { headers }) {
          granted.push(Number(headers['x-granted-tokens']))
          return eventStream(openStream().body)
        },
      },
    )
    const statuses = await Promise.all(
      Array.from({ length: 40 }, async () => (await post()).status),
    )
    expect(granted.reduce((sum, tokens) => sum + tokens, 0)).toBe(1_000)
    expect(statuses.filter((status) => status === 200)).toHaveLength(granted.length)
    expect(new Set(statuses)).toEqual(new Set([200, 429]))
  })

  it('frees the slot on every way out', async () => {
    const stream = openStream()
    const client = new AbortController()
    const outcomes: (() => Promise<Response>)[] = [
      async () => whole(),
      () => Promise.reject(new Error('connection refused')),
      async () => new Response('{"error":{}}', { status: 503 }),
      async () => new Response(null, { status: 204 }),
      async () => eventStream(new Response(delta).body!),
      async () => eventStream(new Response(delta + end).body!),
      async () => new Response('nothing we know'),
    ]
    const next = { outcome: outcomes[0]! }
    const { post, running, ledger } = setUp(
      { concurrentRequests: 1 },
      { backend: () => next.outcome() },
    )
    for (const outcome of outcomes) {
      next.outcome = outcome
      const response = await post()
      expect(response.status).not.toBe(429)
      await response.text()
      expect(running()).toBe(0)
    }
    next.outcome = async () => eventStream(stream.body)
    const broken = await post()
    stream.fail()
    expect(await broken.text()).toContain('"code":"backend_unavailable"')
    next.outcome = () => new Promise(() => undefined)
    expect(await ledger()).toMatchObject([
      { requests: 8, errors: 6, cancelled: 0, prompt_tokens: 60 },
    ])

    next.outcome = () => {
      client.abort()
      return Promise.reject(client.signal.reason as Error)
    }
    const left = await post('/generate/text', { signal: client.signal })
    expect(left.status).toBe(499)
    expect(running()).toBe(0)
    expect(await ledger()).toMatchObject([{ requests: 9, errors: 6, cancelled: 1 }])
  })

  it.each(['abort', 'cancel'] as const)('settles a stream its client left (%s)', async (how) => {
    const stream = openStream()
    const client = new AbortController()
    const backend = async () => eventStream(stream.body)
    const { post, ledger, running, lines } = setUp({ concurrentRequests: 1 }, { backend })
    const response = await post('/generate/text', { signal: client.signal })
    const reader = response.body!.getReader()
    stream.write(delta)
    await reader.read()
    expect(running()).toBe(1)
    if (how === 'abort') client.abort()
    else await reader.cancel()
    await expect.poll(running).toBe(0)
    expect(stream.cancelled()).toBe(true)
    expect(await ledger()).toMatchObject([
      { requests: 1, cancelled: 1, errors: 0, prompt_tokens: 0, unfinished_tokens: 33 },
    ])
    await expect
      .poll(() => lineOfCall(lines))
      .toMatchObject({ ending: 'cancelled', completion_tokens: 3 })
  })

  it('leaves nothing behind on the signal of a long life', async () => {
    const stopping = { begun: false, cut: false, signal: new AbortController().signal }
    const answers = [
      async () => new Response(null, { headers: { 'content-type': 'application/json' } }),
      async () => eventStream(new Response(end).body!),
      async () => Promise.reject(new Error('connection refused')),
    ]
    for (const backend of answers) {
      const { post } = setUp({}, { stopping, backend })
      await (await post()).text()
      expect(getEventListeners(stopping.signal, 'abort')).toEqual([])
    }
  })

  it('counts a stream that ends with an error as one, for what it had used', async () => {
    const error = { message: 'm', type: 'server_error', param: null, request_id: 'r' } as const
    const last =
      formatEvent('error', { error: { ...error, code: 'engine_restarted' } }) +
      formatFailedComment('engine_restarted')
    const backend = async () => eventStream(new Response(delta + last).body!)
    const { post, ledger, lines } = setUp({}, { backend })
    expect(await (await post()).text()).toBe(delta + last)
    await expect
      .poll(ledger)
      .toMatchObject([{ errors: 1, unfinished_tokens: 33, prompt_tokens: 0 }])
    await expect
      .poll(() => lineOfCall(lines))
      .toMatchObject({ status: 200, ending: 'failed', code: 'engine_restarted' })
  })

  it('tells what is left after a whole answer or a failure, and what is reserved for a stream', async () => {
    const open = openStream()
    const answers = [whole, () => new Response('{}', { status: 500 }), () => eventStream(open.body)]
    const clock = { tick: (): void => undefined }
    const limits = { tokensPerMinute: 1_000, imagesPerDay: 9 }
    const setup = setUp(limits, {
      backend: async () => {
        clock.tick()
        return answers.shift()!()
      },
    })
    clock.tick = () => {
      setup.clock.ms += 2_000
    }
    const left = async () => {
      const { headers } = await setup.post()
      return ['remaining-tokens', 'reset-tokens', 'remaining-images-day'].map((name) =>
        Number(headers.get(`x-ratelimit-${name}`)),
      )
    }
    expect(await left()).toEqual([1_000 - 37, 59, 9])
    expect(await left()).toEqual([1_000 - 37, 59, 9])
    expect(await left()).toEqual([1_000 - 37 - 2 - 64 - 50, 61, 9])
    open.close()
  })

  it('counts the images of an upload as the backend tells, and refunds those of a failure', async () => {
    const answers = [
      () => new Response(whole().body, { headers: { ...usageHeader, 'x-image-count': '3' } }),
      () => new Response('{"error":{}}', { status: 400, headers: { 'x-image-count': '3' } }),
    ]
    const { post, ledger } = setUp(
      { imagesPerDay: 10 },
      { backend: async () => answers.shift()!() },
    )
    const upload = () =>
      post('/generate/image', {
        headers: { 'x-api-key': 'a', 'content-type': 'multipart/form-data; boundary=b' },
        body: '--b--',
      })
    const first = await upload()
    expect(first.headers.get('x-image-count')).toBeNull()
    expect(first.headers.get('x-ratelimit-remaining-images-day')).toBe('7')
    await first.text()
    await (await upload()).text()
    expect(await ledger()).toMatchObject([{ requests: 2, errors: 1, images: 3 }])
  })

  it('counts a day of images by the URLs that are named', async () => {
    const { post, ledger } = setUp({ imagesPerDay: 2 })
    const ask = (urls: number) => {
      const image_url = Array.from({ length: urls }, () => 'https://a.example.com/')
      return post('/generate/image_url', { body: JSON.stringify({ prompt: 'Hi', image_url }) })
    }
    expect(await errorOf(await ask(3))).toEqual([429, 'quota_exceeded', null])
    const failed = await ask(2)
    expect(await errorOf(failed)).toEqual([422, 'image_fetch_failed', null])
    expect(failed.headers.get('x-ratelimit-remaining-images-day')).toBe('2')
    expect(await ledger()).toMatchObject([{ requests: 1, errors: 1, images: 0 }])
  })

  it('answers 503 when a key with limits cannot be counted, and lets a key without pass', async () => {
    const meter = {
      reserve: () => Promise.reject(new Error('disk full at /secret')),
      settle: () => Promise.reject(new Error('disk full at /secret')),
      usage: () => Promise.reject(new Error('disk full at /secret')),
    }
    const limited = setUp({ requestsPerMinute: 5 }, { meter })
    const refused = await limited.post()
    expect(await refused.clone().text()).not.toContain('secret')
    expect(await errorOf(refused)).toEqual([503, 'limits_unavailable', '2'])
    const usageAnswer = await limited.app.request('/admin/usage', { headers: { 'x-api-key': 'a' } })
    expect(await errorOf(usageAnswer)).toEqual([503, 'limits_unavailable', '2'])

    const { post, lines } = setUp({}, { meter })
    const answer = await post()
    expect(answer.status).toBe(200)
    await answer.text()
    await expect
      .poll(() => lines.find(({ message }) => message === 'usage was not recorded'))
      .toMatchObject({ level: 'error', key_id: 'shop', tokens: 37 })
  })

  it('settles again when the store failed for a moment', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout'] })
    const meter = localMeter(new KeyMeter(testSqlite()), () => noon)
    let failures = 2
    const { post, ledger } = setUp(
      { concurrentRequests: 1 },
      {
        meter: {
          ...meter,
          async settle(keyId, settlement) {
            // Written, but the answer is lost: the same again must count once.
            await meter.settle(keyId, settlement)
            if ((failures -= 1) >= 0) throw new Error('connection lost')
          },
        },
      },
    )
    const readAnswer = async () => (await post()).text()
    const text = readAnswer()
    await vi.advanceTimersByTimeAsync(2_000)
    await text
    expect(await ledger()).toMatchObject([{ requests: 1, prompt_tokens: 30 }])
  })

  it('writes one log line at the end of the answer, with phases and bytes', async () => {
    const stream = openStream()
    const { post, lines, clock } = setUp(
      { requestsPerMinute: 9 },
      {
        backend: async () => {
          clock.ms += 40
          return eventStream(stream.body)
        },
      },
    )
    const response = await post()
    expect(lines).toEqual([])
    const text = delta + end
    stream.write(text)
    stream.close()
    clock.ms += 500
    await response.text()
    await expect.poll(() => lines).toHaveLength(1)
    expect(lines[0]).toMatchObject({
      route: '/generate/text',
      key_id: 'shop',
      status: 200,
      ending: 'answered',
      ms: 540,
      admit_ms: 0,
      backend_ms: 40,
      relay_ms: 500,
      response_bytes: text.length,
      images: 0,
      ...usage,
    })
  })

  it('turns away an address that sends too much before looking at its key', async () => {
    const { post, ledger } = setUp({}, { admitAddress: async () => false })
    expect(await errorOf(await post())).toEqual([429, 'rate_limited', '10'])
    await expect(ledger()).resolves.toBeUndefined()
  })
})
