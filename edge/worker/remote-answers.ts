import type { IdempotencyStore } from '../idempotency/idempotency-store.ts'

/** The Durable Object namespace of kept answers. */
export interface AnswerNamespace {
  getByName(name: string): IdempotencyStore
}

/**
 * One object per API key, named after it. Each call uses a new handle, because an old one stays broken after a
 * failure.
 */
export function remoteAnswers(namespace: AnswerNamespace): IdempotencyStore {
  return {
    claim: (claim) => namespace.getByName(claim.scope).claim(claim),
    settle: (claim, run, outcome) => namespace.getByName(claim.scope).settle(claim, run, outcome),
    forget: (scope) => namespace.getByName(scope).forget(scope),
  }
}
