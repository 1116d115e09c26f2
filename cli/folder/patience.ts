import { errorKinds, type ErrorCode } from '../../shared/api/errors.ts'
import { Refusal } from './ask-picture.ts'

/** Milliseconds before the second try; each further wait is twice as long. */
const firstWaitMs = 1_000
/** Longest wait in milliseconds, unless the server asks for more. */
const longestWaitMs = 30_000
/** Milliseconds for which a server may refuse one picture after another: a restart with a large model takes minutes. */
export const patienceMs = 15 * 60_000

/** Errors that are this picture's own, so that the others may still be described. */
const ownErrors: ReadonlySet<ErrorCode> = new Set([
  'empty_image',
  'invalid_image',
  'unsupported_image',
  'image_too_large',
  'body_too_large',
  'context_length_exceeded',
  'deadline_exceeded',
  'internal',
])

/** Whether the error says something about this picture, not about the question, the key or the server. */
export function isOwnError(code: ErrorCode): boolean {
  return ownErrors.has(code)
}

interface Waiting {
  readonly now: () => number
  /** @throws the reason of an abort */
  readonly wait: (ms: number) => Promise<void>
  /** Told before each wait. */
  readonly onWait: (refusal: Refusal, ms: number) => void
}

/**
 * Tries again while the server asks for that, for as long as its patience lasts.
 * @throws the last error
 */
export async function withPatience<Result>(
  ask: () => Promise<Result>,
  { now, wait, onWait }: Waiting,
): Promise<Result> {
  const startedMs = now()
  for (let waitMs = firstWaitMs; ; waitMs = Math.min(2 * waitMs, longestWaitMs)) {
    try {
      return await ask()
    } catch (error) {
      if (!(error instanceof Refusal) || !mayPass(error) || now() - startedMs > patienceMs)
        throw error
      const ms = Math.max(waitMs, 1_000 * (error.retryAfterSeconds ?? 0))
      onWait(error, ms)
      await wait(ms)
    }
  }
}

function mayPass({ code }: Refusal): boolean {
  return errorKinds[code].retryable && !isOwnError(code)
}
