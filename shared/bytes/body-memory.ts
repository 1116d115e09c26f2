import { ServiceError } from '../api/errors.ts'

/** One tenant holds no more than this part by default, so that its uploads leave room for others'. */
const mostOfOneTenant = 0.5

/** Seconds after which a refused upload may come again: pictures take less to decode, most of them far less. */
const retryAfterSeconds = 2

/** Bounds what the bodies of all requests take up while they are held whole, in all and for each tenant. */
export class BodyMemory {
  readonly #limitBytes: number
  readonly #ownLimitBytes: number
  readonly #heldOf = new Map<string, number>()
  #held = 0

  /**
   * @param limitBytes of all bodies together
   * @param ownLimitBytes of those of one tenant
   */
  constructor(limitBytes: number, ownLimitBytes = limitBytes * mostOfOneTenant) {
    this.#limitBytes = limitBytes
    this.#ownLimitBytes = ownLimitBytes
  }

  /** Bytes of all bodies that are held. */
  get held(): number {
    return this.#held
  }

  /** `bytes` more of a body have come. @throws {ServiceError} `queue_full`, with nothing held */
  hold(tenant: string, bytes: number): void {
    const own = (this.#heldOf.get(tenant) ?? 0) + bytes
    if (own > this.#ownLimitBytes) throw tooMuch('Your requests', own, this.#ownLimitBytes)
    if (this.#held + bytes > this.#limitBytes) {
      throw tooMuch('All requests', this.#held + bytes, this.#limitBytes)
    }
    this.#heldOf.set(tenant, own)
    this.#held += bytes
  }

  /** As much as was held before is free again. */
  release(tenant: string, bytes: number): void {
    const left = (this.#heldOf.get(tenant) ?? 0) - bytes
    if (left < 0) throw new RangeError('More is released than was held')
    if (left === 0) this.#heldOf.delete(tenant)
    else this.#heldOf.set(tenant, left)
    this.#held -= bytes
  }
}

function tooMuch(who: string, bytes: number, limitBytes: number): ServiceError {
  const message = `${who} together wait with ${bytes} bytes of bodies, over the limit of ${limitBytes}`
  return new ServiceError('queue_full', message, { retryAfterSeconds })
}
