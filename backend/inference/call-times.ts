/** Times the longest call of that size which may still be waited for: contexts grow, and machines are shared. */
const patience = 10

/**
 * Milliseconds any call of the model may take: a chunk of 512 tokens at fewer than two tokens a second would be of no use
 * to anybody.
 */
export const mostCallMs = 300_000

/** Part of what was longest that is kept at the next call of that size: an exception is forgotten within some hundred. */
const kept = 0.98

/**
 * How long calls of one kind take, by their size in powers of two, and from that how long the next one may take. Work of
 * double the size takes at most double the time: what a call costs besides is shared by more.
 */
export class CallTimes {
  /** Longest milliseconds lately, by the power of two that the size does not pass. */
  readonly #longest = new Map<number, number>()

  /** @param size tokens, or units of work; more than 0 */
  measured(size: number, ms: number): void {
    const power = powerOf(size)
    this.#longest.set(power, Math.max(ms, kept * (this.#longest.get(power) ?? 0)))
  }

  /** @returns milliseconds after which a call of this size counts as hung */
  boundFor(size: number): number {
    return Math.min(patience * this.#expected(powerOf(size)), mostCallMs)
  }

  /** As long as calls of that size took, or a little larger ones, or what smaller ones let expect. */
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
