/**
 * Consecutive failures of a reachable server after which it gets no more requests: a single bad request must not
 * disable it.
 */
const faultsToOpen = 5

/** Milliseconds until a failed server is tried again; doubled each time it fails again. */
const firstWaitMs = 500
const longestWaitMs = 10_000

/** Milliseconds in which a recovered server grows to its full share, because its caches and threads are cold. */
const slowStartMs = 10_000

/** The share it begins with: enough to warm up, and little enough for another failure to do little harm. */
const firstShare = 0.1

/** Whether a server gets requests. Any success closes an open breaker, usually that of a probe. */
export type Breaker =
  | {
      readonly phase: 'closed'
      readonly faults: number
      /** When it recovered; undefined if it was never away. */
      readonly backSince: number | undefined
    }
  | {
      readonly phase: 'open'
      readonly until: number
      readonly waitMs: number
      /** It did not answer in time, and may be well: slow, or on a busy machine. */
      readonly silent?: true
    }

/**
 * `unreachable`: it cannot serve any request now (no connection, loading, stopping). `silent`: it did not answer in
 * time. `fault`: it failed this request but may serve the next.
 */
export type Failure = 'unreachable' | 'silent' | 'fault'

export const newBreaker: Breaker = { phase: 'closed', faults: 0, backSince: undefined }

export function afterSuccess(breaker: Breaker, now: number): Breaker {
  if (breaker.phase === 'open') return { phase: 'closed', faults: 0, backSince: now }
  return breaker.faults === 0 ? breaker : { ...breaker, faults: 0 }
}

export function afterFailure(breaker: Breaker, failure: Failure, now: number): Breaker {
  if (breaker.phase === 'closed') {
    const faults = breaker.faults + 1
    if (failure === 'fault' && faults < faultsToOpen) return { ...breaker, faults }
    return opened(failure, firstWaitMs, now)
  }
  // Requests sent before it opened fail late and provide no new information.
  if (now < breaker.until) return breaker
  const waitMs = Math.min(breaker.waitMs * 2, longestWaitMs)
  return opened(failure, waitMs, now)
}

function opened(failure: Failure, waitMs: number, now: number): Breaker {
  const isSilent = failure === 'silent'
  return { phase: 'open', until: now + waitMs, waitMs, ...(isSilent && { silent: true }) }
}

/**
 * The fraction of its usual load that a server should carry, above 0 and up to 1: less for a while after it
 * recovered.
 */
export function shareOf(breaker: Breaker, now: number): number {
  if (breaker.phase === 'open' || breaker.backSince === undefined) return 1
  return Math.min(1, Math.max(firstShare, (now - breaker.backSince) / slowStartMs))
}
