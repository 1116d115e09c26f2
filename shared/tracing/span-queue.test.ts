import { TracerProvider } from '@opentelemetry/sdk-trace'
import { describe, expect, it } from 'vitest'
import { createOtlpSender, type SendSpans } from './otlp-sender.ts'
import { SpanQueue } from './span-queue.ts'

type Outcome = Awaited<ReturnType<SendSpans>>

/** A queue, what it has sent, and how the collector answers. */
function setUp(options: { limit?: number; concurrency?: number; wallClock?: () => number } = {}) {
  const batches: string[][] = []
  const collector = { answer: async (): Promise<Outcome> => 'sent' }
  const send: SendSpans = (spans) => {
    batches.push(spans.map(({ name }) => name))
    return collector.answer()
  }
  const queue = new SpanQueue({ send, concurrency: 1, ...options })
  const tracer = new TracerProvider({ spanProcessors: [queue] }).getTracer('test')
  const record = (...names: string[]) => {
    for (const name of names) tracer.startSpan(name).end()
  }
  return { queue, batches, collector, record }
}

describe('SpanQueue', () => {
  it('sends what ended, in batches, once', async () => {
    const { queue, batches, record } = setUp()
    record(...Array.from({ length: 600 }, (_, index) => `span ${index}`))
    await queue.forceFlush()
    expect(batches.map((batch) => batch.length)).toEqual([512, 88])
    await queue.forceFlush()
    expect(batches).toHaveLength(2)
    expect(queue.counts()).toEqual({ sent: 600, dropped: 0, failed: 0 })
  })

  it('holds a bounded number while the collector hangs, and makes nobody wait but one sender', async () => {
    const { queue, batches, collector, record } = setUp({ limit: 3 })
    const { promise, resolve } = Promise.withResolvers<Outcome>()
    collector.answer = () => promise
    record('a')
    const sending = queue.forceFlush()
    record('b', 'c', 'd', 'e', 'f')
    await queue.forceFlush()
    expect(batches).toEqual([['a']])
    expect(queue.counts()).toEqual({ sent: 0, dropped: 2, failed: 0 })
    resolve('sent')
    await sending
    expect(batches).toEqual([['a'], ['b', 'c', 'd']])
    expect(queue.counts()).toEqual({ sent: 4, dropped: 2, failed: 0 })
  })

  it('sends again what the collector may take later, for a minute', async () => {
    let now = Date.now()
    const { queue, batches, collector, record } = setUp({ limit: 2, wallClock: () => now })
    collector.answer = async () => 'later'
    record('a', 'b')
    await queue.forceFlush()
    await queue.forceFlush()
    expect(batches).toEqual([
      ['a', 'b'],
      ['a', 'b'],
    ])
    record('c')
    expect(queue.counts()).toEqual({ sent: 0, dropped: 1, failed: 0 })
    now += 70_000
    await queue.forceFlush()
    await queue.forceFlush()
    expect(batches).toHaveLength(3)
    expect(queue.counts()).toEqual({ sent: 0, dropped: 1, failed: 2 })
  })

  it('gives up what the collector refuses', async () => {
    const { queue, collector, record } = setUp()
    collector.answer = async () => 'refused'
    record('a')
    await queue.forceFlush()
    expect(queue.counts()).toEqual({ sent: 0, dropped: 0, failed: 1 })
  })
})

describe('createOtlpSender()', () => {
  const config = { url: 'http://127.0.0.1:9/v1/traces', headers: [], timeoutMs: 1_000 }

  it.each([
    [200, 'sent'],
    [302, 'refused'],
    [400, 'refused'],
    [429, 'later'],
    [500, 'refused'],
    [503, 'later'],
  ] as const)('understands a collector that answers with %i: %s', async (status, outcome) => {
    const send = createOtlpSender(config, async () => new Response(null, { status }))
    expect(await send([])).toBe(outcome)
  })

  it('may find a collector later that is not there', async () => {
    expect(await createOtlpSender(config, fetch)([])).toBe('later')
  })

  it('does not wait longer than it may', async () => {
    const hangs = (_url: string, { signal }: RequestInit) =>
      new Promise<Response>((_resolve, reject) => {
        signal!.addEventListener('abort', () => reject(new Error('aborted')))
      })
    expect(await createOtlpSender({ ...config, timeoutMs: 10 }, hangs)([])).toBe('later')
  })
})
