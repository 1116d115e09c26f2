import type { Stopping } from '../calls/stopping.ts'

/** Milliseconds between two checks of what runs: one request cannot wake another. */
const lookMs = 20

/**
 * Milliseconds that cut requests get to report that and to record what they used: each checks between two events, and
 * heartbeats are ten seconds apart.
 */
const lastWordsMs = 1_000

/** The requests in progress in this isolate, and their orderly end. Holds only numbers, since requests share it. */
export class RunningRequests implements Stopping {
  readonly signal = undefined
  #running = 0
  #begun = false
  #cut = false

  get begun(): boolean {
    return this.#begun
  }
  get cut(): boolean {
    return this.#cut
  }

  /** The isolate is kept alive until this has ended. */
  hold(work: Promise<unknown>): void {
    this.#running += 1
    const drop = () => {
      this.#running -= 1
    }
    work.then(drop, drop)
  }

  /**
   * Refuses new requests and lets running ones finish, for at most `drainMs`; the rest is cut.
   * @returns once nothing runs any more, or waiting is pointless
   */
  async drain(drainMs: number): Promise<void> {
    this.#begun = true
    if (await this.#isIdleWithin(drainMs)) return
    this.#cut = true
    await this.#isIdleWithin(lastWordsMs)
  }

  async #isIdleWithin(ms: number): Promise<boolean> {
    for (let waited = 0; this.#running > 0; waited += lookMs) {
      if (waited >= ms) return false
      await new Promise((resolve) => setTimeout(resolve, lookMs))
    }
    return true
  }
}
