import { ServiceError } from '../../../shared/api/errors.ts'

/**
 * Bounds of the seconds a rejected client is asked to wait: what a header can express, and what is worth waiting for.
 */
const leastRetrySeconds = 1
const mostRetrySeconds = 120

/** Everything that admission depends on, at the time the job arrives. */
interface AdmissionCounts {
  readonly promptTokens: number
  readonly maxTokens: number
  readonly contextTokens: number
}

/**
 * The maximum length of the answer: `maxTokens`, or what is left of the context.
 * @throws {ServiceError} `context_length_exceeded` when not a single token of answer would fit
 */
export function tokenLimitOf({ promptTokens, maxTokens, contextTokens }: AdmissionCounts): number {
  const room = contextTokens - promptTokens
  if (room >= 1) return Math.min(maxTokens, room)
  throw new ServiceError(
    'context_length_exceeded',
    `Cannot read a prompt of ${promptTokens} tokens: the context of ${contextTokens} tokens must hold it and an answer`,
    { param: 'prompt' },
  )
}

/**
 * How many tokens all answers together may have of those granted to prompt and answers; unlimited unless given.
 * @throws {ServiceError} `quota_exceeded` when not a single token of answer would fit
 */
export function answerTokensOf(promptTokens: number, grantedTokens = Infinity): number {
  const left = grantedTokens - promptTokens
  if (left >= 1) return left
  const message = `Cannot read a prompt of ${promptTokens} tokens: ${grantedTokens} tokens are left of the key's limits, which must hold it and an answer`
  throw new ServiceError('quota_exceeded', message, { param: 'prompt' })
}

/** The queue as a job finds it. Estimated work in prompt tokens; see work.ts. */
export interface QueueCounts {
  /** Jobs that hold no slot yet, and their work. */
  readonly waiting: number
  readonly waitingWork: number
  /** Waiting jobs of the job's own tenant. */
  readonly waitingOfTenant: number
  /** Free slots: this many of the waiting jobs are as good as started. */
  readonly freeSlots: number
  /** The most jobs, and the most work, that may wait in addition to those that are certain of a free slot. */
  readonly queueLimit: number
  readonly queueWorkLimit: number
  /** The job's own work. */
  readonly work: number
}

/**
 * Decides whether a job may wait. A tenant with nothing waiting may also enter a full queue, up to twice the limit:
 * otherwise one tenant's thousand requests would not merely delay another's single request but shut it out.
 * @param secondsFor how long this process takes for that much work
 * @throws {ServiceError} `queue_full`, with the time after which there should be room
 */
export function admit(counts: QueueCounts, secondsFor: (work: number) => number): void {
  const { waitingWork, waitingOfTenant, queueLimit, queueWorkLimit, work } = counts
  const waiting = counts.waiting - counts.freeSlots
  if (waiting < 0) return
  if (waitingOfTenant === 0 && waiting < 2 * queueLimit) return
  if (waiting >= queueLimit) {
    // There are many slots, but they share one processor: a job leaves the queue whenever one job's work is done.
    const oneJob = waitingWork / Math.max(1, counts.waiting)
    const message = `Cannot queue the request: the limit of ${queueLimit} waiting requests is reached`
    throw queueFull(message, secondsFor(oneJob))
  }
  if (waiting > 0 && waitingWork + work > queueWorkLimit) {
    const message = `Cannot queue the request: its work of ${Math.round(work)} prompt tokens is over what is left of the limit of ${queueWorkLimit} for waiting requests`
    throw queueFull(message, secondsFor(waitingWork + work - queueWorkLimit))
  }
}

function queueFull(message: string, seconds: number): ServiceError {
  const bounded = Math.min(Math.max(Math.ceil(seconds), leastRetrySeconds), mostRetrySeconds)
  return new ServiceError('queue_full', message, { retryAfterSeconds: bounded })
}
