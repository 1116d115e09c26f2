/** Failures in a row after which a backend that does answer is left alone: one bad request must not take it out. */
const faultsToOpen = 5

/** Milliseconds until a backend that failed is asked again; doubled each time it fails to come back. */
const firstWaitMs = 500
const longestWaitMs = 10_000

/** Milliseconds in which a backend that came back grows to its full share: caches and threads are cold. */
const slowStartMs = 10_000

/** The share it begins with: enough to warm up, little enough to fall over again without much harm. */
const firstShare = 0.1

/** Whether a backend gets requests. An open breaker is closed by any success: usually that of a probe. */
export type Breaker =
  | {
      readonly phase: 'closed'
      readonly faults: number
      /** When it came back; undefined while it never was away. */
      readonly backSince: number | undefined
    }
  | { readonly phase: 'open'; readonly until: number; readonly waitMs: number }

/**
 * `unreachable`: it cannot serve anybody now (no connection, loading, stopping). `fault`: it failed this request, and
 * may serve the next.
 */
export type Failure = 'unreachable' | 'fault'

export const newBreaker: Breaker = { phase: 'closed', faults: 0, backSince: undefined }

export function afterSuccess(breaker: Breaker, now: number): Breaker {
  if (breaker.phase === 'open') return { phase: 'closed', faults: 0, backSince: now }
  return breaker.faults === 0 ? breaker : { ...breaker, faults: 0 }
}

export function afterFailure(breaker: Breaker, failure: Failure, now: number): Breaker {
  if (breaker.phase === 'closed') {
    const faults = breaker.faults + 1
    if (failure === 'fault' && faults < faultsToOpen) return { ...breaker, faults }
    return { phase: 'open', until: now + firstWaitMs, waitMs: firstWaitMs }
  }
  // Requests sent before it opened fail late, and say nothing new.
  if (now < breaker.until) return breaker
  const waitMs = Math.min(breaker.waitMs * 2, longestWaitMs)
  return { phase: 'open', until: now + waitMs, waitMs }
}

/** The part of its usual load a backend should carry, over 0 up to 1: less for a while after it came back. */
export function shareOf(breaker: Breaker, now: number): number {
  if (breaker.phase === 'open' || breaker.backSince === undefined) return 1
  return Math.min(1, Math.max(firstShare, (now - breaker.backSince) / slowStartMs))
}
