import type { EngineTimings } from '../job.ts'

/** Where a sequence stands. One that is `paused` gave way to others in the middle of its work. */
export type SequenceStatus = 'queued' | 'vision' | 'prefill' | 'decode' | 'paused' | 'ended'

const legalNext: Readonly<Record<SequenceStatus, readonly SequenceStatus[]>> = {
  queued: ['vision', 'prefill', 'decode', 'paused', 'ended'],
  vision: ['prefill', 'paused', 'ended'],
  prefill: ['decode', 'paused', 'ended'],
  decode: ['paused', 'ended'],
  paused: ['vision', 'prefill', 'decode', 'ended'],
  ended: [],
}

/** Where a sequence stands, and how long it stood where. */
export class PhaseClock {
  readonly #now: () => number
  readonly #spentMs = { queued: 0, vision: 0, prefill: 0, decode: 0, paused: 0, ended: 0 }
  #status: SequenceStatus = 'queued'
  #sinceMs: number

  /** @param now milliseconds of a monotonic clock */
  constructor(now: () => number) {
    this.#now = now
    this.#sinceMs = now()
  }

  get status(): SequenceStatus {
    return this.#status
  }

  /**
   * What lies between the last phase it was in and now counts as decoding: other choices of its job may go on. A pause is
   * time spent in the queue.
   */
  get timings(): EngineTimings {
    const { queued, vision, prefill, decode, paused } = this.#spentMs
    const decodeMs = decode + this.#now() - this.#sinceMs
    return { queueMs: queued + paused, visionMs: vision, prefillMs: prefill, decodeMs }
  }

  /** @throws {RangeError} when `next` cannot come now */
  enter(next: SequenceStatus): void {
    if (!legalNext[this.#status].includes(next)) {
      throw new RangeError(`A sequence cannot go from ${this.#status} to ${next}`)
    }
    const now = this.#now()
    this.#spentMs[this.#status] += now - this.#sinceMs
    this.#sinceMs = now
    this.#status = next
  }
}
