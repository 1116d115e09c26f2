import { ServiceError } from '../../../shared/api/errors.ts'

/** Seconds a refused client is told to wait, at least and at most: what a header can say, and what is worth waiting. */
const leastRetrySeconds = 1
const mostRetrySeconds = 120

/** All that admission looks at, as it is when the job arrives. */
interface AdmissionCounts {
  readonly promptTokens: number
  readonly maxTokens: number
  readonly contextTokens: number
}

/**
 * How long the answer may become: `maxTokens`, or what is left of the context.
 * @throws {ServiceError} `context_length_exceeded` when no token of answer would fit
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
 * How many tokens all answers together may have of what was granted to prompt and answers; unlimited when nothing was said.
 * @throws {ServiceError} `quota_exceeded` when no token of answer would fit
 */
export function answerTokensOf(promptTokens: number, grantedTokens = Infinity): number {
  const left = grantedTokens - promptTokens
  if (left >= 1) return left
  const message = `Cannot read a prompt of ${promptTokens} tokens: ${grantedTokens} tokens are left of the key's limits, which must hold it and an answer`
  throw new ServiceError('quota_exceeded', message, { param: 'prompt' })
}

/** The queue as a job finds it. Work in prompt tokens, as estimated; see work.ts. */
export interface QueueCounts {
  /** Jobs that hold no slot yet, and the work they are. */
  readonly waiting: number
  readonly waitingWork: number
  /** Of the job's own tenant. */
  readonly waitingOfTenant: number
  /** Slots that nobody holds: so many of those who wait are as good as started. */
  readonly freeSlots: number
  /** Most jobs, and most work, that may wait beyond those a free slot is certain for. */
  readonly queueLimit: number
  readonly queueWorkLimit: number
  /** The job's own work. */
  readonly work: number
}

/**
 * Decides whether a job may wait. A tenant that has nothing waiting may also enter a full queue, up to twice the limit:
 * otherwise one tenant's thousand requests would not delay another's one, but shut it out.
 * @param secondsFor how long so much work takes this process
 * @throws {ServiceError} `queue_full`, with the time after which there should be room
 */
export function admit(counts: QueueCounts, secondsFor: (work: number) => number): void {
  const { waitingWork, waitingOfTenant, queueLimit, queueWorkLimit, work } = counts
  const waiting = counts.waiting - counts.freeSlots
  if (waiting < 0) return
  if (waitingOfTenant === 0 && waiting < 2 * queueLimit) return
  if (waiting >= queueLimit) {
    // Slots are many, but share one processor: a job leaves the queue whenever one job's work is done.
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
