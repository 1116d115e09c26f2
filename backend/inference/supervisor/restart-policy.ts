/** Milliseconds. */
export interface RestartDelays {
  /** Before the first restart; doubles with each one that follows. */
  readonly firstMs: number
  readonly mostMs: number
  /** A process that was ready this long counts as healthy: the next restart starts over at `firstMs`. */
  readonly healthyMs: number
}

/** Short enough that one crash is hardly noticed, long enough that a crash loop does not load the machine. */
export const defaultRestartDelays: RestartDelays = {
  firstMs: 100,
  mostMs: 10_000,
  healthyMs: 60_000,
}

/**
 * How long to wait before the next start.
 * @param previousMs the wait before the process that has just ended; undefined for the first
 * @param readyForMs how long that process was ready; 0 when it never was
 */
export function nextRestartDelay(
  previousMs: number | undefined,
  readyForMs: number,
  { firstMs, mostMs, healthyMs }: RestartDelays,
): number {
  if (previousMs === undefined || readyForMs >= healthyMs) return firstMs
  return Math.min(previousMs * 2, mostMs)
}
