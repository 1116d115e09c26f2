import { settlesWithin } from '../../shared/async/within-time.ts'
import type { Stopping } from '../calls/stopping.ts'

/** Milliseconds that calls which were cut may take to say so and to write down what they used. */
const lastWordsMs = 1_000

/** What this process has under way, and its orderly end. */
export class RunningCalls implements Stopping {
  readonly #running = new Set<Promise<unknown>>()
  readonly #cut = new AbortController()
  #begun = false

  get begun(): boolean {
    return this.#begun
  }
  get cut(): boolean {
    return this.#cut.signal.aborted
  }
  get signal(): AbortSignal {
    return this.#cut.signal
  }

  /** The process does not end before this has. */
  hold(work: Promise<unknown>): void {
    this.#running.add(work)
    const drop = () => this.#running.delete(work)
    work.then(drop, drop)
  }

  /**
   * Turns new requests away and lets those under way end, for `drainMs` at most; what runs then is cut.
   * @returns once nothing runs any more, or nothing can be waited for
   */
  async drain(drainMs: number): Promise<void> {
    this.#begun = true
    if (await settlesWithin(this.#idle(), drainMs)) return
    this.#cut.abort()
    await settlesWithin(this.#idle(), lastWordsMs)
  }

  async #idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.allSettled(this.#running)
  }
}
