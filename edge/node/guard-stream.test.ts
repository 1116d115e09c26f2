import { getEventListeners } from 'node:events'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { neverStopping } from '../../test/support/edges/test-platform.ts'
import type { StreamEnd } from '../backends/exchange.ts'
import type { Stopping } from '../calls/stopping.ts'
import { guardStream } from './guard-stream.ts'

const encoder = new TextEncoder()

/** A guarded stream whose source is written by the test. */
function guarded(stopping: Stopping = neverStopping, client = new AbortController()) {
  const ends: StreamEnd[] = []
  const tails: string[] = []
  const sizes: number[] = []
  let source!: ReadableStreamDefaultController<Uint8Array>
  let cancelled = false
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => void (source = controller),
    cancel: () => void (cancelled = true),
  })
  const reader = guardStream(body, {
    signal: client.signal,
    stopping,
    idleMs: 1_000,
    lastWords: (how) => encoder.encode(`event: error ${how}\n\n`),
    onEnd: async (how, tail, bytes) => {
      ends.push(how)
      tails.push(tail.text())
      sizes.push(bytes)
    },
  })
    .pipeThrough(new TextDecoderStream())
    .getReader()
  return {
    client,
    ends,
    tails,
    sizes,
    reader,
    isCancelled: () => cancelled,
    write: (text: string) => source.enqueue(encoder.encode(text)),
    close: () => source.close(),
    fail: () => source.error(new Error('socket closed')),
    async rest() {
      let text = ''
      for (;;) {
        const { done, value } = await reader.read()
        if (done) return text
        text += value
      }
    },
  }
}

afterEach(() => vi.useRealTimers())

describe('guardStream()', () => {
  it('passes whole events on, whatever the chunks', async () => {
    const stream = guarded()
    stream.write('data: 1\n\ndata: ')
    expect((await stream.reader.read()).value).toBe('data: 1\n\n')
    stream.write('2\n')
    stream.write('\ndata: 3\n\n')
    stream.close()
    expect(await stream.rest()).toBe('data: 2\n\ndata: 3\n\n')
    expect(stream.ends).toEqual(['whole'])
    expect([stream.tails, stream.sizes]).toEqual([['data: 1\n\ndata: 2\n\ndata: 3\n\n'], [27]])
  })

  it('gathers an event of many chunks in linear time', async () => {
    const stream = guarded()
    const rest = stream.rest()
    const pieces = 60_000
    for (let piece = 0; piece < pieces; piece += 1) stream.write('x'.repeat(64))
    stream.write('\n\n')
    stream.close()
    expect((await rest).length).toBe(64 * pieces + 2)
    expect(stream.ends).toEqual(['whole'])
    // Copying everything received so far with each chunk would take much longer.
  }, 15_000)

  it('ends with the last words, and without half an event, when the backend breaks off', async () => {
    const stream = guarded()
    stream.write('data: 1\n\nda')
    expect((await stream.reader.read()).value).toBe('data: 1\n\n')
    stream.fail()
    expect(await stream.rest()).toBe('event: error broken\n\n')
    expect(stream.ends).toEqual(['broken'])
  })

  it('does the same when the stream ends within an event', async () => {
    const stream = guarded()
    stream.write('data: 1\n\nda')
    stream.close()
    expect(await stream.rest()).toBe('data: 1\n\nevent: error broken\n\n')
    expect(stream.ends).toEqual(['broken'])
  })

  it('gives up a backend that is silent for too long', async () => {
    vi.useFakeTimers()
    const stream = guarded()
    const first = stream.reader.read()
    await vi.advanceTimersByTimeAsync(900)
    stream.write(': heartbeat\n\n')
    expect((await first).value).toBe(': heartbeat\n\n')
    const rest = stream.rest()
    await vi.advanceTimersByTimeAsync(1_000)
    expect(stream.ends).toEqual([])
    await vi.advanceTimersByTimeAsync(1_100)
    expect(await rest).toBe('event: error broken\n\n')
    expect(stream.ends).toEqual(['broken'])
    expect(stream.isCancelled()).toBe(true)
  })

  it.each(['signal', 'cancel'] as const)('lets go when the client leaves, by %s', async (how) => {
    const stream = guarded()
    if (how === 'signal') stream.client.abort()
    else await stream.reader.cancel()
    await expect.poll(() => stream.isCancelled()).toBe(true)
    expect(stream.ends).toEqual(['left'])
  })

  it('waits for no shutdown when the client had left before it began', async () => {
    const [client, { signal }] = [new AbortController(), new AbortController()]
    client.abort()
    const stream = guarded({ ...neverStopping, signal }, client)
    await expect.poll(() => stream.isCancelled()).toBe(true)
    expect(stream.ends).toEqual(['left'])
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })
})
