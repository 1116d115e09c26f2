/** The number of requests, and their timing. */
export interface Schedule {
  readonly requests: number
  /** The most requests in progress at once. */
  readonly concurrency: number
  /** If given, requests are due at this rate, however long answers take; otherwise each waits for one to end. */
  readonly ratePerSecond: number | undefined
}

export interface Clock {
  /** Milliseconds. */
  now(): number
  /** Resolves early, without failing, when aborted. */
  sleep(ms: number, signal: AbortSignal): Promise<void>
}

/**
 * Sends requests until all were sent or the signal fires; ends when the last one has ended.
 * @param send gets the number of a request, from 1, and the time it was due
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
