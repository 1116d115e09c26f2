import { ServiceError } from '../../shared/api/errors.ts'
import type { EdgeContext, EdgeMiddleware } from './context.ts'

/**
 * Milliseconds of the window in which an address's requests are counted: short, so that the guard reacts and lets go
 * quickly.
 */
export const addressWindowMs = 10_000

/** Seconds to wait: the length of the guard's window, here and in a Worker's binding. */
const retryAfterSeconds = addressWindowMs / 1_000

export interface GuardParts {
  /** False when the client's address sends far too many requests. */
  readonly admitAddress: (c: EdgeContext) => Promise<boolean>
}

/** Rejects addresses that send far too many requests, before doing anything else for them. @throws `rate_limited` */
export function guardAddress({ admitAddress }: GuardParts): EdgeMiddleware {
  return async (c, next) => {
    if (!(await admitAddress(c))) {
      const message = 'Cannot accept the request: too many requests come from this address'
      throw new ServiceError('rate_limited', message, { retryAfterSeconds })
    }
    await next()
  }
}
