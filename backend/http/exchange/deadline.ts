import type { MiddlewareHandler } from 'hono'
import { ServiceError } from '../../../shared/api/errors.ts'
import { maxDeadlineMs } from '../../../shared/api/limits.ts'
import { forwardHeaders } from '../../../shared/forward/headers.ts'
import type { BackendEnv } from './exchange.ts'
import type { After } from '../../../shared/async/timer.ts'

/** Milliseconds for delivering an answer that was cut short, before the connection is cut as well. */
const lastWordsMs = 5_000

/** Fraction of the deadline reserved for delivering an answer that was cut short, and its maximum in milliseconds. */
const reservePart = 0.1
const mostReserveMs = 1_000

/**
 * Aborts a request when its time is up: as given by `x-deadline-ms`, up to a day, otherwise after `defaultMs`.
 * Generating ends a little earlier, with the answer so far.
 */
export function enforceDeadline(
  after: After,
  now: () => number,
  defaultMs: number,
): MiddlewareHandler<BackendEnv> {
  return async function deadline(c, next) {
    const exchange = c.get('exchange')
    const ms = deadlineOf(c.req.header(forwardHeaders.deadlineMs)) ?? defaultMs
    const stop = after(ms, () => {
      exchange.abort(
        new ServiceError('deadline_exceeded', `The request took longer than its ${ms} ms`),
      )
    })
    exchange.onEnd(stop)
    const answerBy = now() + ms - Math.min(ms * reservePart, mostReserveMs)
    exchange.limitAnswer(() => Math.max(1, answerBy - now()))
    exchange.signal.addEventListener('abort', () => {
      exchange.onEnd(after(lastWordsMs, () => c.env.outgoing.destroy()))
    })
    await next()
  }
}

function deadlineOf(header: string | undefined): number | undefined {
  if (header === undefined) return undefined
  if (/^\d{1,12}$/.test(header)) return Math.min(Number(header), maxDeadlineMs)
  throw new ServiceError('invalid_field', 'The deadline must be a whole number of milliseconds', {
    param: forwardHeaders.deadlineMs,
  })
}
