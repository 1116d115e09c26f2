import { whenAborted } from '../../shared/async/when-aborted.ts'
import type { StreamEnd } from '../backends/exchange.ts'
import { AnswerTail } from '../calls/relay/answer-tail.ts'
import type { StreamRelay, StreamWatch } from '../calls/relay/stream-relay.ts'
import { UnfinishedEvent } from '../calls/relay/unfinished-event.ts'

/** Relays chunk by chunk, at the reader's pace, and never part of an event. */
export const guardStream: StreamRelay = (source, watch) => {
  const relay = new Relay(source.getReader(), watch)
  return new ReadableStream<Uint8Array>(
    {
      pull: (controller) => relay.passOn(controller),
      cancel: async () => void (await relay.end('left')),
    },
    { highWaterMark: 0 },
  )
}

class Relay {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>
  readonly #watch: StreamWatch
  readonly #idle: IdleTimer
  readonly #unfinished = new UnfinishedEvent()
  readonly #tail = new AnswerTail()
  #bytes = 0
  #ending: Promise<StreamEnd> | undefined
  readonly #stopListening: (() => void)[] = []

  constructor(reader: ReadableStreamDefaultReader<Uint8Array>, watch: StreamWatch) {
    const { signal, stopping, idleMs } = watch
    this.#reader = reader
    this.#watch = watch
    this.#idle = startIdleTimer(idleMs, () => void this.end('broken'))
    this.#endWhen(signal, 'left')
    if (stopping.signal !== undefined) this.#endWhen(stopping.signal, 'cut')
  }

  /** Nothing when it has ended: a signal that outlives it would keep it. */
  #endWhen(signal: AbortSignal, how: StreamEnd): void {
    if (this.#ending !== undefined) return
    this.#stopListening.push(whenAborted(signal, () => void this.end(how)))
  }

  async passOn(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    const events = await this.#nextEvents().catch(() => 'broken' as const)
    if (events instanceof Uint8Array) return controller.enqueue(events)
    const isBroken = events === 'broken' || !this.#unfinished.isEmpty
    const how = await this.end(isBroken ? 'broken' : 'whole')
    if (how === 'broken' || how === 'cut') {
      controller.enqueue(this.#watch.lastWords(how, this.#tail))
    }
    controller.close()
  }

  /** @returns how it ended: the first of several reasons counts */
  end(how: StreamEnd): Promise<StreamEnd> {
    this.#ending ??= this.#finish(how)
    return this.#ending
  }

  /** @returns undefined at the end */
  async #nextEvents(): Promise<Uint8Array | undefined> {
    for (;;) {
      const { done, value } = await this.#reader.read()
      this.#idle.reset()
      if (done) return undefined
      this.#bytes += value.byteLength
      this.#tail.push(value)
      const whole = this.#unfinished.push(value)
      if (whole !== undefined) return whole
    }
  }

  async #finish(how: StreamEnd): Promise<StreamEnd> {
    this.#idle.stop()
    for (const stop of this.#stopListening) stop()
    // Also ends the pending read.
    if (how !== 'whole') this.#reader.cancel().catch(() => undefined)
    await this.#watch.onEnd(how, this.#tail, this.#bytes)
    return how
  }
}

interface IdleTimer {
  reset(): void
  stop(): void
}

/**
 * One timer for the whole stream: instead of being restarted with each chunk, it checks when due whether the stream has
 * been quiet.
 */
function startIdleTimer(idleMs: number, onIdle: () => void): IdleTimer {
  let quiet = true
  let timer: ReturnType<typeof setTimeout>
  const wait = () => {
    quiet = true
    timer = setTimeout(() => {
      if (!quiet) return wait()
      onIdle()
    }, idleMs)
  }
  wait()
  return {
    reset() {
      quiet = false
    },
    stop: () => clearTimeout(timer),
  }
}
