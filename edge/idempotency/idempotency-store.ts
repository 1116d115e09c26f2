/** Local stores answer at once, remote ones later; callers always await. */
type Eventually<Value> = Value | Promise<Value>

/** An answer as it is given again. */
export interface KeptAnswer {
  readonly contentType: string
  readonly body: string
}

/** A request that asks to be run once. */
export interface Claim {
  /** Whose `key` it is: the id of the API key. */
  readonly scope: string
  /** The client's `Idempotency-Key`. */
  readonly key: string
  /** Equal for equal requests. */
  readonly fingerprint: string
  /** Milliseconds after which a run that told no outcome counts as lost. */
  readonly leaseMs: number
}

export type ClaimReply =
  /** Nobody ran it: the caller shall, and tell the outcome under this name of the run. */
  | { readonly kind: 'run'; readonly run: string }
  | { readonly kind: 'running' }
  | { readonly kind: 'answered'; readonly answer: KeptAnswer }
  /** It was run, and its answer was too long to be kept. */
  | { readonly kind: 'too_long' }
  /** The key was used for another request. */
  | { readonly kind: 'conflict' }

/** How a run ended. */
export type Outcome =
  | { readonly kind: 'answered'; readonly answer: KeptAnswer }
  /** The next request with the key is told so. */
  | { readonly kind: 'too_long' }
  /** The next request with the key runs anew. */
  | { readonly kind: 'failed' }

/** Where answers are kept under the keys clients chose for them. */
export interface IdempotencyStore {
  claim(claim: Claim): Eventually<ClaimReply>
  settle(claim: Claim, run: string, outcome: Outcome): Eventually<void>
  /** Removes what is kept for a scope, all or a part of it. @returns whether there may be more */
  forget(scope: string): Eventually<boolean>
}
