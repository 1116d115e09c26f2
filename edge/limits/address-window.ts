import { networkOf } from '../../shared/network/client-network.ts'

/**
 * Addresses counted in one window: no flood comes from more than this, and counting them would take too much memory.
 */
const maxAddresses = 100_000

/** Counts by client address, in memory: coarse, and far cheaper than what it guards. */
export class AddressWindow {
  readonly #limit: number
  readonly #windowMs: number
  readonly #counts = new Map<string, number>()
  #startedAt = -Infinity

  /** @param limit how often an address is admitted in each window of `windowMs` */
  constructor(limit: number, windowMs: number) {
    this.#limit = limit
    this.#windowMs = windowMs
  }

  /** @param nowMs on a monotonic clock */
  admit(address: string, nowMs: number): boolean {
    if (nowMs - this.#startedAt >= this.#windowMs) {
      this.#counts.clear()
      this.#startedAt = nowMs
    }
    const network = networkOf(address)
    const count = (this.#counts.get(network) ?? 0) + 1
    if (count === 1 && this.#counts.size >= maxAddresses) return true
    this.#counts.set(network, count)
    return count <= this.#limit
  }

  /** Milliseconds until all are admitted again. */
  msLeft(nowMs: number): number {
    return Math.max(0, this.#startedAt + this.#windowMs - nowMs)
  }
}
