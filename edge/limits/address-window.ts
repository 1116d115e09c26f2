import ipaddr from 'ipaddr.js'

/**
 * Addresses counted in one window: no flood comes from more than this, and counting them would take too much memory.
 */
const maxAddresses = 100_000

/** Groups of an IPv6 address that identify one customer: networks assign at least 64 bits. */
const networkGroups = 4

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

/** What counts as one client: an IPv4 address, or an IPv6 network. */
export function networkOf(address: string): string {
  if (!ipaddr.isValid(address)) return address
  const parsed = ipaddr.process(address)
  if (parsed instanceof ipaddr.IPv4) return parsed.toString()
  return `${parsed.parts
    .slice(0, networkGroups)
    .map((part) => part.toString(16))
    .join(':')}::`
}

/** True for this machine itself: its operator, or a reverse proxy with guards of its own. */
export function isLoopback(address: string): boolean {
  return ipaddr.isValid(address) && ipaddr.process(address).range() === 'loopback'
}
