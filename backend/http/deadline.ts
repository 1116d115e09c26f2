import type { MiddlewareHandler } from 'hono'
import { ServiceError } from '../../shared/api/errors.ts'
import { defaultDeadlineMs } from '../../shared/api/limits.ts'
import { forwardHeaders } from '../../shared/forward/headers.ts'
import type { BackendEnv } from './exchange.ts'
import type { After } from './timer.ts'

/** Milliseconds an answer that was cut short may take to reach its reader, before the connection is cut as well. */
const lastWordsMs = 5_000

/** Aborts a request when its time is up: the caller's `x-deadline-ms`, but never more than our own. */
export function enforceDeadline(after: After): MiddlewareHandler<BackendEnv> {
  return async function deadline(c, next) {
    const exchange = c.get('exchange')
    const ms = deadlineOf(c.req.header(forwardHeaders.deadlineMs))
    const stop = after(ms, () => {
      exchange.abort(
        new ServiceError('deadline_exceeded', `The request took longer than its ${ms} ms`),
      )
    })
    exchange.onEnd(stop)
    exchange.signal.addEventListener('abort', () => {
      exchange.onEnd(after(lastWordsMs, () => c.env.outgoing.destroy()))
    })
    await next()
  }
}

function deadlineOf(header: string | undefined): number {
  if (header === undefined) return defaultDeadlineMs
  if (/^\d{1,12}$/.test(header)) return Math.min(Number(header), defaultDeadlineMs)
  throw new ServiceError('invalid_field', 'The deadline must be a whole number of milliseconds', {
    param: forwardHeaders.deadlineMs,
  })
}
