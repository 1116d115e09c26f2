import { ServiceError } from '../../shared/api/errors.ts'
import type { EdgeMiddleware } from './context.ts'

/** Whether the edge is shutting down, and how far that has progressed. */
export interface Stopping {
  /** New requests are refused; running ones continue. */
  readonly begun: boolean
  /** Time is up: what still runs ends with an error. */
  readonly cut: boolean
  /** Fires at that moment; undefined where one request cannot wake another, which then has to check `cut` itself. */
  readonly signal: AbortSignal | undefined
}

export function shuttingDown(): ServiceError {
  return new ServiceError('shutting_down', 'The server is shutting down')
}

/** @throws `shutting_down` for requests that arrive too late */
export function turnAwayWhen(stopping: Stopping): EdgeMiddleware {
  return async (_c, next) => {
    if (stopping.begun) throw shuttingDown()
    await next()
  }
}
