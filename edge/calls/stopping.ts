import { ServiceError } from '../../shared/api/errors.ts'
import type { EdgeMiddleware } from './context.ts'

/** Whether the edge is about to end, and how far it has got. */
export interface Stopping {
  /** New requests are turned away; those under way go on. */
  readonly begun: boolean
  /** Time is up: what still runs ends with an error. */
  readonly cut: boolean
  /** Fires then; undefined where one request cannot wake another, which then looks at `cut` itself. */
  readonly signal: AbortSignal | undefined
}

export function shuttingDown(): ServiceError {
  return new ServiceError('shutting_down', 'The server is shutting down')
}

/** @throws `shutting_down` for requests that come too late */
export function turnAwayWhen(stopping: Stopping): EdgeMiddleware {
  return async (_c, next) => {
    if (stopping.begun) throw shuttingDown()
    await next()
  }
}
