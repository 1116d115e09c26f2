import { ServiceError } from '../../shared/api/errors.ts'
import { maxFormFieldBytes, maxIdempotentBodyBytes, maxJsonBytes } from '../../shared/api/limits.ts'
import type { RouteName } from '../../shared/api/routes.ts'
import type { BodyMemory } from '../../shared/bytes/body-memory.ts'
import type { KeyIdentity } from '../keys/key-record.ts'
import type { EdgeMiddleware } from '../platform.ts'

/** Bytes from which on a body is worth being refused before it is read; what is smaller is judged by the meter alone. */
const largeBytes = 256 * 1024

/** Seconds after which a body may come again that found too many of its key. */
const retryAfterSeconds = 1

/** What one request holds here; all of it is given back at once. */
export interface HeldBytes {
  /** More is about to be held. @throws {ServiceError} `queue_full` */
  hold(bytes: number): void
  /** Its limits have been judged: from now on its key's meter counts it. */
  judged(): void
}

/**
 * Bounds what requests make this process hold: bodies that are read whole, and images on their way. It is counted before
 * it is held, for all keys together and for each; large bodies also count among the `concurrent_requests` of their key
 * until the meter counts them.
 */
export function holdBytes(
  memory: BodyMemory,
  receiving: Receiving,
  route: RouteName,
): EdgeMiddleware {
  return async (c, next) => {
    const key = c.get('key')
    if (key === undefined) return next()
    const bytes = bytesToRead(route, c.req.raw.headers)
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
      c.set('held', { hold, judged })
      await next()
    } finally {
      judged()
      isOver = true
      // A stream may go on for minutes, and needs it no more.
      c.set('bufferedBody', undefined)
      memory.release(key.id, held)
    }
  }
}

/**
 * Bytes that are held while a request is read: as many as it declares, or the most that are read where it does not. With
 * an `Idempotency-Key` there is a copy, of which the fingerprint is taken.
 */
function bytesToRead(route: RouteName, headers: Headers): number {
  const length = headers.get('content-length') ?? ''
  const declared = /^\d+$/.test(length) ? Number(length) : Infinity
  if (headers.has('idempotency-key')) return 2 * Math.min(declared, maxIdempotentBodyBytes)
  return Math.min(declared, maxReadBytes[route])
}

/** Bytes of a body that each route reads whole. An upload passes through; what is looked at of it is never large. */
const maxReadBytes = {
  health: 0,
  text: maxJsonBytes,
  image: 0,
  imageUrl: maxFormFieldBytes,
} as const satisfies Record<RouteName, number>

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
