import type { ReadableSpan, SpanProcessor } from '@opentelemetry/sdk-trace'
import type { SendSpans } from './otlp-sender.ts'
import type { TraceCounts } from './tracing.ts'

/** Spans that may wait, about a kilobyte each; the limit of OpenTelemetry's own queue. */
const defaultLimit = 2_048

/** Spans in one request to the collector; also OpenTelemetry's number. */
const batchSize = 512

/** Milliseconds for which spans are kept and sent again while the collector is away. */
const keptMs = 60_000

interface SpanQueueOptions {
  readonly send: SendSpans
  /** Requests to the collector at the same time. */
  readonly concurrency: number
  readonly limit?: number
  /** Milliseconds since 1970. */
  readonly wallClock?: () => number
}

/** Ended spans on their way to the collector: a bounded queue that nobody waits for, and which counts what it loses. */
export class SpanQueue implements SpanProcessor {
  readonly #send: SendSpans
  readonly #concurrency: number
  readonly #limit: number
  readonly #wallClock: () => number
  #waiting: ReadableSpan[] = []
  #sending = 0
  readonly #counts = { sent: 0, dropped: 0, failed: 0 }

  constructor({ send, concurrency, limit = defaultLimit, wallClock = Date.now }: SpanQueueOptions) {
    this.#send = send
    this.#concurrency = concurrency
    this.#limit = limit
    this.#wallClock = wallClock
  }

  onStart(): void {}

  /** Takes the span if there is room. */
  onEnd(span: ReadableSpan): void {
    if (this.#waiting.length < this.#limit) this.#waiting.push(span)
    else this.#counts.dropped += 1
  }

  /** Sends what waits, batch after batch, until the collector fails. Returns at once while enough is being sent already. */
  async forceFlush(): Promise<void> {
    if (this.#sending >= this.#concurrency) return
    this.#sending += 1
    try {
      while (this.#waiting.length > 0) {
        const batch = this.#waiting.splice(0, batchSize)
        const outcome = await this.#send(batch)
        if (outcome === 'sent') this.#counts.sent += batch.length
        else return this.#keep(outcome === 'later' ? batch : [], batch.length)
      }
    } finally {
      this.#sending -= 1
    }
  }

  shutdown(): Promise<void> {
    return this.forceFlush()
  }

  counts(): TraceCounts {
    return { ...this.#counts }
  }

  /** Puts back what is young enough, as far as there is room. */
  #keep(batch: readonly ReadableSpan[], taken: number): void {
    const oldest = (this.#wallClock() - keptMs) / 1_000
    const young = batch.filter(({ endTime: [seconds] }) => seconds >= oldest)
    const kept = young.slice(0, this.#limit - this.#waiting.length)
    this.#waiting = [...kept, ...this.#waiting]
    this.#counts.failed += taken - kept.length
  }
}
