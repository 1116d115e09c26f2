import type { EngineTimings } from '../job.ts'

/** Where a sequence stands. */
export type SequenceStatus = 'queued' | 'vision' | 'prefill' | 'decode' | 'ended'

const legalNext: Readonly<Record<SequenceStatus, readonly SequenceStatus[]>> = {
  queued: ['vision', 'prefill', 'decode', 'ended'],
  vision: ['prefill', 'ended'],
  prefill: ['decode', 'ended'],
  decode: ['ended'],
  ended: [],
}

/** Where a sequence stands, and how long it stood where. */
export class PhaseClock {
  readonly #now: () => number
  readonly #spentMs = { queued: 0, vision: 0, prefill: 0, decode: 0, ended: 0 }
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

  /** What lies between the last phase it was in and now counts as decoding: other choices of its job may go on. */
  get timings(): EngineTimings {
    const { queued, vision, prefill, decode } = this.#spentMs
    const decodeMs = decode + this.#now() - this.#sinceMs
    return { queueMs: queued, visionMs: vision, prefillMs: prefill, decodeMs }
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
