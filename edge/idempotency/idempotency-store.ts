/** Local stores answer at once, remote ones later; callers always await. */
type Eventually<Value> = Value | Promise<Value>

/** An answer that can be repeated. */
export interface KeptAnswer {
  readonly contentType: string
  readonly body: string
}

/** A request that must run only once. */
export interface Claim {
  /** The id of the API key, to which `key` belongs. */
  readonly scope: string
  /** The client's `Idempotency-Key`. */
  readonly key: string
  /** Equal for equal requests. */
  readonly fingerprint: string
  /** Milliseconds after which a run without a reported outcome counts as lost. */
  readonly leaseMs: number
}

export type ClaimReply =
  /** It has not been run: the caller must run it, and report the outcome under this name of the run. */
  | { readonly kind: 'run'; readonly run: string }
  | { readonly kind: 'running' }
  | { readonly kind: 'answered'; readonly answer: KeptAnswer }
  /** It was run, and its answer was too long to be kept. */
  | { readonly kind: 'too_long' }
  /** The key was used for a different request. */
  | { readonly kind: 'conflict' }

/** How a run ended. */
export type Outcome =
  | { readonly kind: 'answered'; readonly answer: KeptAnswer }
  /** The next request with this key gets an error saying so. */
  | { readonly kind: 'too_long' }
  /** The next request with this key runs again. */
  | { readonly kind: 'failed' }

/** Keeps answers under the keys that clients chose for them. */
export interface IdempotencyStore {
  claim(claim: Claim): Eventually<ClaimReply>
  settle(claim: Claim, run: string, outcome: Outcome): Eventually<void>
  /** Removes all or some of what is kept for a scope. @returns whether there may be more */
  forget(scope: string): Eventually<boolean>
}
