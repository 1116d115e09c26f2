import { ServiceError } from '../api/errors.ts'

/** One tenant holds at most this fraction, which leaves room for the uploads of others. */
const mostOfOneTenant = 0.5

/** Seconds after which a rejected upload may try again: most images decode in far less. */
const retryAfterSeconds = 2

/** Bounds the memory taken by request bodies while they are held whole, in total and per tenant. */
export class BodyMemory {
  readonly #limitBytes: number
  readonly #ownLimitBytes: number
  readonly #heldOf = new Map<string, number>()
  #held = 0

  /** @param limitBytes of all bodies together */
  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes
    this.#ownLimitBytes = limitBytes * mostOfOneTenant
  }

  /** Bytes of all bodies currently held. */
  get held(): number {
    return this.#held
  }

  /** Counts `bytes` more of a body. @throws {ServiceError} `queue_full`, in which case nothing is counted */
  hold(tenant: string, bytes: number): void {
    const own = (this.#heldOf.get(tenant) ?? 0) + bytes
    if (own > this.#ownLimitBytes) throw tooMuch('Your requests', own, this.#ownLimitBytes)
    if (this.#held + bytes > this.#limitBytes) {
      throw tooMuch('All requests', this.#held + bytes, this.#limitBytes)
    }
    this.#heldOf.set(tenant, own)
    this.#held += bytes
  }

  /** Frees bytes that were held before. */
  release(tenant: string, bytes: number): void {
    const left = (this.#heldOf.get(tenant) ?? 0) - bytes
    if (left < 0) throw new RangeError('Cannot release more bytes than are held')
    if (left === 0) this.#heldOf.delete(tenant)
    else this.#heldOf.set(tenant, left)
    this.#held -= bytes
  }
}

function tooMuch(who: string, bytes: number, limitBytes: number): ServiceError {
  const message = `${who} together hold ${bytes} bytes of bodies, over the limit of ${limitBytes}`
  return new ServiceError('queue_full', message, { retryAfterSeconds })
}
