import { settlesWithin } from '../../shared/async/within-time.ts'
import type { Stopping } from '../calls/stopping.ts'

/** Milliseconds that cut calls get to report that and to record what they used. */
const lastWordsMs = 1_000

/** The calls in progress in this process, and their orderly end. */
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

  /** The process does not end before this work has. */
  hold(work: Promise<unknown>): void {
    this.#running.add(work)
    const drop = () => this.#running.delete(work)
    work.then(drop, drop)
  }

  /**
   * Refuses new requests and lets running ones finish, for at most `drainMs`; the rest is cut. Resolves once nothing
   * runs any more, or waiting is pointless.
   * @returns whether all finished in time
   */
  async drain(drainMs: number): Promise<boolean> {
    this.#begun = true
    if (await settlesWithin(this.#idle(), drainMs)) return true
    this.#cut.abort()
    await settlesWithin(this.#idle(), lastWordsMs)
    return false
  }

  async #idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.allSettled(this.#running)
  }
}
