/** One sequence's part of the cache memory, in tokens. */
export interface Share {
  /** Granted so far. */
  readonly held: number
  /** The most it may come to hold; at least `held`. */
  readonly claim: number
}

/**
 * Whether every sequence can still come to its end with `limit` tokens of memory in all, though each grew to its whole
 * claim: then there is an order in which each, when those before it are done, has room enough. Granting memory only
 * as long as that holds, nobody ever waits for ever. (The banker's algorithm for one resource; E. W. Dijkstra, EWD 108.)
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
