import type { Stopping } from '../calls/stopping.ts'

/** Milliseconds between two looks at what runs: one request cannot wake another. */
const lookMs = 20

/**
 * Milliseconds that requests which were cut may take to say so and to write down what they used: each looks between two
 * events, and heartbeats are ten seconds apart.
 */
const lastWordsMs = 1_000

/** What this isolate has under way, and its orderly end. Holds numbers only, since requests share it. */
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

  /** The isolate is not given up before this has ended. */
  hold(work: Promise<unknown>): void {
    this.#running += 1
    const drop = () => {
      this.#running -= 1
    }
    work.then(drop, drop)
  }

  /**
   * Turns new requests away and lets those under way end, for `drainMs` at most; what runs then is cut.
   * @returns once nothing runs any more, or nothing can be waited for
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
