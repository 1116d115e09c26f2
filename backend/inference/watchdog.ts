import type { ToParent } from './protocol.ts'

/** Milliseconds of silence after which a process counts as hung. */
export interface SilenceLimits {
  /**
   * While it loads and reports no progress. Between two reports of a conversion a tenth of the checkpoint is read: 3.3 GB of
   * the full-sized one, at 5.5 MB/s.
   */
  readonly loadingMs: number
  /**
   * While it serves. It answers a ping between two calls of the model, and says before a call that may take longer. Twelve
   * times the longest pause of its garbage collector that was seen.
   */
  readonly servingMs: number
}

export const defaultSilenceLimits: SilenceLimits = { loadingMs: 600_000, servingMs: 6_000 }

/** Milliseconds between two looks at the clock, and between two pings. */
export const tickMs = 1_000

/** Time between two looks that counts at most: more means that this process itself was held up, not the other. */
const mostTickMs = 2 * tickMs

/** Decides from what is heard of an inference process, and when, whether it hangs. Knows no clock and no process. */
export class Watchdog {
  readonly #limits: SilenceLimits
  #isLoading = true
  #limitMs: number
  #silentMs = 0
  #lastTick: number

  /** @param now milliseconds of a monotonic clock, as for all that follows */
  constructor(now: number, limits: SilenceLimits) {
    this.#limits = limits
    this.#limitMs = limits.loadingMs
    this.#lastTick = now
  }

  /** Whether a ping would be answered. */
  get answersPings(): boolean {
    return !this.#isLoading
  }

  heard(message: ToParent): void {
    if (message.type === 'ready') this.#isLoading = false
    else if (this.#isLoading && message.type !== 'progress') return
    this.#silentMs = 0
    this.#limitMs = this.#isLoading ? this.#limits.loadingMs : this.#limits.servingMs
    if (message.type === 'busy') this.#limitMs = Math.max(this.#limitMs, message.boundMs)
  }

  /** To be called every `tickMs`. @returns for how many milliseconds a process that hangs was silent */
  tick(now: number): number | undefined {
    this.#silentMs += Math.min(now - this.#lastTick, mostTickMs)
    this.#lastTick = now
    return this.#silentMs > this.#limitMs ? this.#silentMs : undefined
  }
}
