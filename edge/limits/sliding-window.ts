/**
 * A minute that slides with the clock. Counts are kept per whole second, so a window takes at most 61 small rows
 * however busy a key is. A second leaves the window once even its last moment is a minute old: there is never more
 * than the limit in any 60 seconds, and what was used is free again after 60 to 61.
 */
const windowSeconds = 60

const msPerSecond = 1_000

/** What was counted in one second, or by one running call. */
export interface Counted {
  /** Whole seconds since 1970. */
  readonly second: number
  readonly amount: number
}

export function secondOf(nowMs: number): number {
  return Math.floor(nowMs / msPerSecond)
}

/** The last second that has left the window. */
export function lastSecondOutside(nowMs: number): number {
  return secondOf(nowMs) - windowSeconds - 1
}

/** Milliseconds until the count of `second` has left the window. */
export function msUntilGone(second: number, nowMs: number): number {
  return (second + windowSeconds + 1) * msPerSecond - nowMs
}

export function sumOf(counted: readonly Counted[]): number {
  return counted.reduce((sum, { amount }) => sum + amount, 0)
}

/** Milliseconds until at least `amount` has left the window by itself; 0 when nothing needs to. */
export function msUntilFree(counted: readonly Counted[], amount: number, nowMs: number): number {
  let freed = 0
  let wait = 0
  for (const { second, amount: leaving } of counted.toSorted((a, b) => a.second - b.second)) {
    if (freed >= amount) break
    freed += leaving
    wait = msUntilGone(second, nowMs)
  }
  return wait
}
