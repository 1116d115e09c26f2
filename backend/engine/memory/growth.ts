/** One sequence's part of the cache memory, in tokens. */
export interface Share {
  /** Granted so far. */
  readonly held: number
  /** The most it may come to hold; at least `held`. */
  readonly claim: number
}

/**
 * Whether every sequence can still finish with `limit` tokens of memory in total, even if each grew to its full claim:
 * there must be an order in which each has enough room once those before it are done. If memory is only granted while
 * this holds, no sequence waits forever. (The banker's algorithm for one resource; E. W. Dijkstra, EWD 108.)
 */
export function allCanEnd(shares: readonly Share[], limit: number): boolean {
  let free = shares.reduce((rest, { held }) => rest - held, limit)
  if (free < 0) return false
  for (const { held, claim } of shares.toSorted((a, b) => missing(a) - missing(b))) {
    if (claim - held > free) return false
    free += held
  }
  return true
}

function missing({ held, claim }: Share): number {
  return claim - held
}
