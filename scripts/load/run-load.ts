/** How many requests, and when. */
export interface Schedule {
  readonly requests: number
  /** Under way at once, at most. */
  readonly concurrency: number
  /** When given, requests are due at this pace, however long answers take; else each waits for one to end. */
  readonly ratePerSecond: number | undefined
}

export interface Clock {
  /** Milliseconds. */
  now(): number
  /** Resolves early, without failing, when aborted. */
  sleep(ms: number, signal: AbortSignal): Promise<void>
}

/**
 * Sends requests until all were sent or the signal comes; ends when the last one has.
 * @param send gets the number of a request, from 1, and when it was due
 */
export async function runLoad<Result>(
  { requests, concurrency, ratePerSecond }: Schedule,
  send: (n: number, dueAtMs: number) => Promise<Result>,
  clock: Clock,
  signal: AbortSignal,
): Promise<readonly Result[]> {
  const results: Result[] = []
  const startedAtMs = clock.now()
  let taken = 0
  const lane = async () => {
    while (taken < requests && !signal.aborted) {
      taken += 1
      const n = taken
      const dueAtMs =
        ratePerSecond === undefined ? clock.now() : startedAtMs + ((n - 1) * 1000) / ratePerSecond
      const waitMs = dueAtMs - clock.now()
      if (waitMs > 0) await clock.sleep(waitMs, signal)
      if (!signal.aborted) results.push(await send(n, dueAtMs))
    }
  }
  await Promise.all(Array.from({ length: Math.min(concurrency, requests) }, lane))
  return results
}
