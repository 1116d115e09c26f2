/**
 * What went wrong with an engine, and so what it means for the request and for the engine:
 * - unreachable: no connection, or it says that it serves nobody now; it did nothing for the request
 * - busy: it is well, but takes no more
 * - fault: it failed before it began an answer
 * - broken: it failed while it gave one
 * - refused: it will not do what the request asks; another engine might say the same
 */
export type ProblemKind = 'unreachable' | 'busy' | 'fault' | 'broken' | 'refused'

/** What an engine refuses, as far as that is known without quoting it. */
export type Refusal = 'context' | 'format' | 'other'

interface ProblemDetails {
  /** As its `Retry-After` says. */
  readonly retryAfterSeconds?: number | undefined
  readonly refusal?: Refusal
  readonly cause?: unknown
}

/** A failure of an engine elsewhere. `message` is for the operator: fixed texts and numbers, never the engine's own words. */
export class EngineProblem extends Error {
  override readonly name = 'EngineProblem'
  readonly kind: ProblemKind
  readonly retryAfterSeconds: number | undefined
  readonly refusal: Refusal | undefined

  constructor(kind: ProblemKind, message: string, details: ProblemDetails = {}) {
    super(message, { cause: details.cause })
    this.kind = kind
    this.retryAfterSeconds = details.retryAfterSeconds
    this.refusal = details.refusal
  }
}
