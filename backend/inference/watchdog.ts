import type { ToParent } from './protocol.ts'

/** Milliseconds of silence after which a process counts as hung. */
export interface SilenceLimits {
  /**
   * While it loads and reports no progress. Between two reports of a conversion a tenth of the checkpoint is read:
   * 3.3 GB of the full-sized one, at 5.5 MB/s.
   */
  readonly loadingMs: number
  /**
   * While it serves. It answers a ping between two calls of the model, and announces a call that may take longer.
   * Twelve times the longest pause observed of its garbage collector.
   */
  readonly servingMs: number
  /**
   * While it is in an announced call and uses no processor time: it is stopped or waits for itself, however long the
   * call may take. No call works for that long without a tick of processor time.
   */
  readonly idleMs: number
}

export const defaultSilenceLimits: SilenceLimits = {
  loadingMs: 600_000,
  servingMs: 6_000,
  idleMs: 8_000,
}

/** Milliseconds between two checks of the clock, and between two pings. */
export const tickMs = 1_000

/** The most that the time between two checks counts for: if it was longer, this process was held up, not the other. */
const mostTickMs = 2 * tickMs

/** Decides whether an inference process hangs, by the messages from it and their times. Has no clock and no process. */
export class Watchdog {
  readonly #limits: SilenceLimits
  #isLoading = true
  #isInCall = false
  #idleMs = 0
  #work: number | undefined
  #limitMs: number
  #silentMs = 0
  #lastTick: number

  /** @param now milliseconds of a monotonic clock, also in all methods below */
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
    else if (this.#isLoading && message.type !== 'progress' && message.type !== 'loading') return
    this.#silentMs = 0
    this.#idleMs = 0
    this.#isInCall = message.type === 'busy'
    this.#limitMs = this.#isLoading ? this.#limits.loadingMs : this.#limits.servingMs
    if (message.type === 'busy') this.#limitMs = Math.max(this.#limitMs, message.boundMs)
  }

  /**
   * To be called every `tickMs`.
   * @param work how much the process has worked so far, in any unit; undefined where that is unknown
   * @returns how many milliseconds a hung process has been silent
   */
  tick(now: number, work?: number): number | undefined {
    const passedMs = Math.min(now - this.#lastTick, mostTickMs)
    this.#lastTick = now
    this.#silentMs += passedMs
    this.#idleMs = work !== undefined && work === this.#work ? this.#idleMs + passedMs : 0
    this.#work = work
    const isIdle = this.#isInCall && this.#idleMs > this.#limits.idleMs
    return isIdle || this.#silentMs > this.#limitMs ? this.#silentMs : undefined
  }
}
