import type { EngineTimings } from '../job.ts'

/** State of a sequence. A `paused` one gave way to others in the middle of its work. */
export type SequenceStatus = 'queued' | 'vision' | 'prefill' | 'decode' | 'paused' | 'ended'

const legalNext: Readonly<Record<SequenceStatus, readonly SequenceStatus[]>> = {
  queued: ['vision', 'prefill', 'decode', 'paused', 'ended'],
  vision: ['prefill', 'paused', 'ended'],
  prefill: ['decode', 'paused', 'ended'],
  decode: ['paused', 'ended'],
  paused: ['vision', 'prefill', 'decode', 'ended'],
  ended: [],
}

/** @param at by the clock's `now` */
export type PhaseListener = (status: SequenceStatus, at: number) => void

/** The current status of a sequence, and how long it spent in each one. */
export class PhaseClock {
  readonly #now: () => number
  readonly #onEnter: PhaseListener | undefined
  readonly #spentMs = { queued: 0, vision: 0, prefill: 0, decode: 0, paused: 0, ended: 0 }
  #status: SequenceStatus = 'queued'
  #pausedIn: SequenceStatus = 'queued'
  #sinceMs: number

  /** @param now milliseconds of a monotonic clock */
  constructor(now: () => number, onEnter?: PhaseListener) {
    this.#now = now
    this.#onEnter = onEnter
    this.#sinceMs = now()
  }

  get status(): SequenceStatus {
    return this.#status
  }

  /** The status, or for a paused sequence the one that it had before. */
  get work(): SequenceStatus {
    return this.#status === 'paused' ? this.#pausedIn : this.#status
  }

  /**
   * Time since its last phase counts as decoding, because other choices of its job may still be running. A pause
   * counts as time in the queue.
   */
  get timings(): EngineTimings {
    const { queued, vision, prefill, decode, paused } = this.#spentMs
    const decodeMs = decode + this.#now() - this.#sinceMs
    return { queueMs: queued + paused, visionMs: vision, prefillMs: prefill, decodeMs }
  }

  /** @throws {RangeError} when `next` cannot follow the current status */
  enter(next: SequenceStatus): void {
    if (!legalNext[this.#status].includes(next)) {
      throw new RangeError(`A sequence cannot go from ${this.#status} to ${next}`)
    }
    const now = this.#now()
    this.#spentMs[this.#status] += now - this.#sinceMs
    this.#sinceMs = now
    if (next === 'paused') this.#pausedIn = this.#status
    this.#status = next
    this.#onEnter?.(next, now)
  }
}
