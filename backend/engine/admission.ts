import { ServiceError } from '../../shared/api/errors.ts'

/** All that admission looks at. Tokens and jobs, counted when the job arrives. */
interface AdmissionCounts {
  readonly promptTokens: number
  readonly maxTokens: number
  readonly contextTokens: number
  /** Jobs that hold no slot yet. */
  readonly waiting: number
  readonly freeSlots: number
  /** Most jobs that may wait beyond those a free slot is certain for. */
  readonly queueLimit: number
}

interface Admission {
  /** `maxTokens`, or what is left of the context. */
  readonly tokenLimit: number
  /** Jobs that must get a slot before this one. */
  readonly position: number
}

/**
 * Decides whether a job may enter.
 * @throws {ServiceError} `context_length_exceeded` when no token of answer would fit; `queue_full`
 */
export function admit(counts: AdmissionCounts): Admission {
  const { promptTokens, contextTokens, queueLimit } = counts
  const room = contextTokens - promptTokens
  if (room < 1) {
    throw new ServiceError(
      'context_length_exceeded',
      `Cannot read a prompt of ${promptTokens} tokens: the context of ${contextTokens} tokens must hold it and an answer`,
      { param: 'prompt' },
    )
  }
  const position = Math.max(0, counts.waiting - counts.freeSlots)
  if (counts.waiting - counts.freeSlots >= queueLimit) {
    throw new ServiceError(
      'queue_full',
      `Cannot queue the request: the limit of ${queueLimit} waiting requests is reached`,
    )
  }
  return { tokenLimit: Math.min(counts.maxTokens, room), position }
}
