import { ServiceError } from '../../shared/api/errors.ts'
import type { EdgeContext, EdgeMiddleware } from './context.ts'

/** Milliseconds in which requests of an address are counted. Short: a guard must let go soon, and hold back at once. */
export const addressWindowMs = 10_000

/** Seconds to keep away: the length of the guard's window, here and in a Worker's binding. */
const retryAfterSeconds = addressWindowMs / 1_000

export interface GuardParts {
  /** False when the client's address sends far too much. */
  readonly admitAddress: (c: EdgeContext) => Promise<boolean>
}

/** Turns away addresses that send far too much, before anything else is done for them. @throws `rate_limited` */
export function guardAddress({ admitAddress }: GuardParts): EdgeMiddleware {
  return async (c, next) => {
    if (!(await admitAddress(c))) {
      const message = 'Cannot take the request: too many requests come from this address'
      throw new ServiceError('rate_limited', message, { retryAfterSeconds })
    }
    await next()
  }
}
