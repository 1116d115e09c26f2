import { ServiceError } from '../../shared/api/errors.ts'
import { maxIdempotentBodyBytes } from '../../shared/api/limits.ts'
import type { BodyMemory } from '../../shared/bytes/body-memory.ts'
import type { HeldAnswer } from '../backends/exchange.ts'
import type { KeyIdentity } from '../keys/key-record.ts'
import type { Call } from './call.ts'
import type { EdgeMiddleware } from './context.ts'

/** Bytes from which a body is worth rejecting before it is read; smaller ones are judged by the meter alone. */
const largeBytes = 256 * 1024

/**
 * Seconds after which a body may be sent again that was rejected because too many others of its key were being
 * received.
 */
const retryAfterSeconds = 1

export interface HoldParts {
  /** Bounds the memory that requests occupy in this process. */
  readonly bodyMemory: BodyMemory
}

/**
 * Bounds the memory that requests occupy in this process: bodies that are read completely, images in transit, and
 * complete answers. It is counted before it is used, for all keys together and for each one; large bodies also count
 * towards their key's `concurrent_requests` until the meter counts them.
 * @param readsWhole the most bytes of a body that the route reads completely
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
      // What still arrives of an abandoned transfer is discarded.
      if (isOver) throw new ServiceError('cancelled', 'The request is over')
      memory.hold(key.id, more)
      held += more
    }
    try {
      hold(bytes)
      call.held = { hold, answer: () => heldAnswer(memory, call, key.id), judged }
      await next()
    } finally {
      judged()
      isOver = true
      // A stream may continue for minutes and no longer needs it.
      call.heldBody = undefined
      memory.release(key.id, held)
    }
  }
}

/** Counts one answer of a key. A client that has left takes nothing more of it. */
function heldAnswer(memory: BodyMemory, call: Pick<Call, 'signal'>, keyId: string): HeldAnswer {
  let held = 0
  const release = () => {
    memory.release(keyId, held)
    held = 0
  }
  return {
    add(bytes) {
      memory.hold(keyId, bytes)
      if (held === 0) call.signal.addEventListener('abort', release, { once: true })
      held += bytes
    },
    release,
  }
}

/**
 * Bytes held while a request is read: its declared length, or else the most that may be read. With an
 * `Idempotency-Key` there is a second copy, for the fingerprint.
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
      const message = `Cannot accept the request: concurrent_requests is ${limit}, and that many are already being received`
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
