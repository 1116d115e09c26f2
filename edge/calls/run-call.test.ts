import { getEventListeners } from 'node:events'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { formatEvent } from '../../shared/api/wire/sse.ts'
import { formatFailedComment } from '../../shared/forward/usage-comment.ts'
import type { LogLine } from '../../shared/log/log-line.ts'
import {
  delta,
  end,
  errorOf,
  eventStream,
  meteredEdge,
  noon,
  openStream,
  usage,
  whole,
} from '../../test/support/edges/metered-edge.ts'
import { testSqlite } from '../../test/support/edges/test-keys.ts'
import { KeyMeter } from '../limits/key-meter.ts'
import { localMeter } from '../limits/local-meter.ts'

/** Written after the answer's end, and so perhaps after the lines of other requests. */
function lineOfCall(lines: readonly LogLine[]): LogLine | undefined {
  return lines.find(({ route }) => route === '/generate/text')
}

afterEach(() => vi.useRealTimers())

describe('runCalls()', () => {
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
    const { post, running, ledger } = meteredEdge(
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
    const { post, ledger, running, lines } = meteredEdge({ concurrentRequests: 1 }, { backend })
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
      const { post } = meteredEdge({}, { stopping, backend })
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
    const { post, ledger, lines } = meteredEdge({}, { backend })
    expect(await (await post()).text()).toBe(delta + last)
    await expect
      .poll(ledger)
      .toMatchObject([{ errors: 1, unfinished_tokens: 33, prompt_tokens: 0 }])
    await expect
      .poll(() => lineOfCall(lines))
      .toMatchObject({ status: 200, ending: 'failed', code: 'engine_restarted' })
  })

  it('settles again when the store failed for a moment', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout'] })
    const meter = localMeter(new KeyMeter(testSqlite()), () => noon)
    let failures = 2
    const { post, ledger } = meteredEdge(
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
    const { post, lines, clock } = meteredEdge(
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
    const { post, ledger } = meteredEdge({}, { admitAddress: async () => false })
    expect(await errorOf(await post())).toEqual([429, 'rate_limited', '10'])
    await expect(ledger()).resolves.toBeUndefined()
  })
})
