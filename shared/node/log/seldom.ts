/** Things remembered; beyond this number the oldest is forgotten. */
const maxRemembered = 1_000

/** Keeps a log readable while the same thing happens over and over. */
export class Seldom {
  readonly #repeatMs: number
  readonly #now: () => number
  readonly #saidAt = new Map<string, number>()

  /** @param now milliseconds of a monotonic clock */
  constructor(repeatMs: number, now: () => number) {
    this.#repeatMs = repeatMs
    this.#now = now
  }

  /** Whether `what` may be said: it has not been said within the last `repeatMs`. */
  allows(what: string): boolean {
    const now = this.#now()
    if (now - (this.#saidAt.get(what) ?? -Infinity) < this.#repeatMs) return false
    this.#saidAt.delete(what)
    this.#saidAt.set(what, now)
    if (this.#saidAt.size > maxRemembered) this.#saidAt.delete(this.#saidAt.keys().next().value!)
    return true
  }
}
