import { ServiceError } from '../../../shared/api/errors.ts'
import type { EngineProblem, Refusal } from '../engine/engine-problem.ts'

/** Bounds of the seconds that a client is asked to wait; the same as for this server's own queue. */
const leastRetrySeconds = 1
const mostRetrySeconds = 120

/** What a client learns about engines' problems: codes from our table, and nothing in an engine's own words. */
export function failureOf(problems: readonly EngineProblem[]): ServiceError {
  const cause = problems.at(-1)
  const failed = problems.find(({ kind }) => kind === 'broken' || kind === 'fault')
  if (cause?.kind === 'refused') return refused(cause.refusal ?? 'other', cause)
  if (failed !== undefined) {
    return new ServiceError(
      'engine_restarted',
      'The engine failed while it worked on the request',
      {
        cause: failed,
      },
    )
  }
  const busy = problems.filter(({ kind }) => kind === 'busy')
  if (busy.length > 0) {
    const seconds = Math.min(
      ...busy.map(({ retryAfterSeconds = leastRetrySeconds }) => retryAfterSeconds),
    )
    const retryAfterSeconds = Math.min(Math.max(seconds, leastRetrySeconds), mostRetrySeconds)
    return new ServiceError('queue_full', 'No engine takes more requests now', {
      retryAfterSeconds,
      cause,
    })
  }
  return new ServiceError('backend_unavailable', 'No engine can be reached', { cause })
}

function refused(refusal: Refusal, cause: EngineProblem): ServiceError {
  switch (refusal) {
    case 'context':
      return new ServiceError(
        'context_length_exceeded',
        "Cannot read the prompt: the engine's context must hold it and an answer",
        { param: 'prompt', cause },
      )
    case 'format':
      return new ServiceError(
        'invalid_schema',
        'The engine behind this server does not support the format of the answer',
        { param: 'response_format', cause },
      )
    case 'other':
      return new ServiceError(
        'unsupported_field',
        'The engine behind this server does not support this request',
        { cause },
      )
  }
}
