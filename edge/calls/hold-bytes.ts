import { ServiceError } from '../../shared/api/errors.ts'
import { maxIdempotentBodyBytes } from '../../shared/api/limits.ts'
import type { BodyMemory } from '../../shared/bytes/body-memory.ts'
import type { KeyIdentity } from '../keys/key-record.ts'
import type { EdgeMiddleware } from './context.ts'

/** Bytes from which on a body is worth being refused before it is read; what is smaller is judged by the meter alone. */
const largeBytes = 256 * 1024

/** Seconds after which a body may come again that found too many of its key. */
const retryAfterSeconds = 1

export interface HoldParts {
  /** Bounds what requests make this process hold. */
  readonly bodyMemory: BodyMemory
}

/**
 * Bounds what requests make this process hold: bodies that are read whole, and images on their way. It is counted before
 * it is held, for all keys together and for each; large bodies also count among the `concurrent_requests` of their key
 * until the meter counts them.
 * @param readsWhole bytes of a body that the route reads whole at most
 */
export function holdBytes(
  { bodyMemory: memory }: HoldParts,
  receiving: Receiving,
  readsWhole: number,
): EdgeMiddleware {
  return async (c, next) => {
    const { call } = c.var
    const { key } = call
    if (key === undefined) return next()
    const bytes = bytesToRead(readsWhole, c.req.raw.headers)
    let isReceiving = bytes >= largeBytes
    if (isReceiving) receiving.enter(key)
    const judged = () => {
      if (isReceiving) receiving.leave(key)
      isReceiving = false
    }
    let held = 0
    let isOver = false
    const hold = (more: number) => {
      // What still comes of a transfer that was given up is thrown away.
      if (isOver) throw new ServiceError('cancelled', 'The request is over')
      memory.hold(key.id, more)
      held += more
    }
    try {
      hold(bytes)
      call.held = { hold, judged }
      await next()
    } finally {
      judged()
      isOver = true
      // A stream may go on for minutes, and needs it no more.
      call.heldBody = undefined
      memory.release(key.id, held)
    }
  }
}

/**
 * Bytes that are held while a request is read: as many as it declares, or the most that are read where it does not. With
 * an `Idempotency-Key` there is a copy, of which the fingerprint is taken.
 */
function bytesToRead(readsWhole: number, headers: Headers): number {
  const length = headers.get('content-length') ?? ''
  const declared = /^\d+$/.test(length) ? Number(length) : Infinity
  if (headers.has('idempotency-key')) return 2 * Math.min(declared, maxIdempotentBodyBytes)
  return Math.min(declared, readsWhole)
}

/** How many large bodies of each key are being received. */
export class Receiving {
  readonly #counts = new Map<string, number>()

  /** @throws {ServiceError} `rate_limited` */
  enter({ id, limits }: KeyIdentity): void {
    const count = (this.#counts.get(id) ?? 0) + 1
    const limit = limits.concurrentRequests ?? Infinity
    if (count > limit) {
      const message = `Cannot take the request: concurrent_requests is ${limit}, and as many are being received`
      throw new ServiceError('rate_limited', message, { retryAfterSeconds })
    }
    this.#counts.set(id, count)
  }

  leave({ id }: KeyIdentity): void {
    const count = (this.#counts.get(id) ?? 0) - 1
    if (count > 0) this.#counts.set(id, count)
    else this.#counts.delete(id)
  }
}
