/** A call may take this many times the longest recent call of its size: contexts grow, and machines are shared. */
const patience = 10

/**
 * Milliseconds any call of the model may take: reading a chunk of 512 tokens at fewer than two tokens a second would
 * be useless.
 */
export const mostCallMs = 300_000

/**
 * Milliseconds that the first call of a size may always take, however quick others are: on a graphics card its kernels are
 * compiled then, which took more than 6 s with a software driver.
 */
const firstCallMs = 60_000

/**
 * Fraction of the recorded maximum that is kept at the next call of that size: an outlier is forgotten within some
 * hundred calls.
 */
const kept = 0.98

/**
 * How long calls of one kind take, grouped by their size in powers of two, and hence how long the next one may take.
 * Twice the work takes at most twice the time, since fixed costs are spread over more work.
 */
export class CallTimes {
  /** The longest recent call in milliseconds, by the largest power of two that does not exceed the size. */
  readonly #longest = new Map<number, number>()

  /** @param size tokens, or units of work; more than 0 */
  measured(size: number, ms: number): void {
    const power = powerOf(size)
    this.#longest.set(power, Math.max(ms, kept * (this.#longest.get(power) ?? 0)))
  }

  /** @returns milliseconds after which a call of this size counts as hung */
  boundFor(size: number): number {
    const power = powerOf(size)
    const leastMs = this.#longest.has(power) ? 0 : firstCallMs
    return Math.min(Math.max(leastMs, patience * this.#expected(power)), mostCallMs)
  }

  /** The time taken by calls of that size, or by slightly larger ones, or extrapolated from smaller ones. */
  #expected(power: number): number {
    const powers = [...this.#longest.keys()].toSorted((a, b) => a - b)
    const nearest = powers.find((known) => known >= power) ?? powers.at(-1)
    if (nearest === undefined) return Infinity
    return this.#longest.get(nearest)! * 2 ** Math.max(0, power - nearest)
  }
}

function powerOf(size: number): number {
  return Math.ceil(Math.log2(size))
}
