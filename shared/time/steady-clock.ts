/**
 * A clock that only runs forward, for measuring how long ago something was where there is only the time of day: when
 * that is set back, this one stands still for a moment and goes on at the same pace.
 * @param wallClock milliseconds since 1970
 */
export function steadyClock(wallClock: () => number): () => number {
  let seen = wallClock()
  let steady = seen
  return () => {
    const now = wallClock()
    steady += Math.max(0, now - seen)
    seen = now
    return steady
  }
}
