import type { KeyIdentity } from '../keys/key-record.ts'
import {
  type Decision,
  type Demand,
  type Grant,
  type LimitName,
  type Standing,
  unitOf,
} from './meter.ts'

/** Part of a limit that is left when its room is clear: more than others can use up while one reservation is on its way. */
const clearPart = 0.5

/**
 * Calls for which there must be room besides before one may be settled after its answer: whoever has read answers may
 * begin so many at once through other isolates, which still find reserved what those calls give back.
 */
const clearCalls = 256

/** Milliseconds that what was heard counts for something: the length of the shortest limits' window. */
const freshMs = 60_000

/** Keys that are remembered: one needs some 500 bytes. */
const maxKeys = 10_000

interface Heard {
  readonly standings: readonly Standing[]
  readonly at: number
}

/** What reservations under way have asked for. */
interface Asked {
  requests: number
  tokens: number
  images: number
}

/**
 * What reservations told here lately about where keys stand. It decides nothing, and forgets at will: with clear room a
 * call may begin while its reservation is under way, which then decides.
 */
export class Headroom {
  readonly #now: () => number
  readonly #heard = new Map<string, Heard>()
  readonly #asked = new Map<string, Asked>()

  /** @param now milliseconds */
  constructor(now: () => number) {
    this.#now = now
  }

  /** Whether a call is as good as granted, all others under way here included. */
  isClearFor({ id, limits }: KeyIdentity, demand: Demand): boolean {
    const names = Object.keys(limits) as LimitName[]
    if (names.length === 0) return true
    const heard = this.#heard.get(id)
    if (heard === undefined || this.#now() - heard.at > freshMs) return false
    const others = this.#asked.get(id)
    return names.every((name) => {
      const standing = heard.standings.find((one) => one.name === name)
      if (standing === undefined || standing.limit !== limits[name]) return false
      const taken = amountOf(name, demand) + (others?.[unitOf[name]] ?? 0)
      return isClear(standing.limit, standing.remaining - taken)
    })
  }

  /** Watches a reservation. */
  async listen(id: string, demand: Demand, ask: () => Promise<Decision>): Promise<Decision> {
    this.#add(id, demand, 1)
    try {
      const decision = await ask()
      this.#note(id, decision.standings)
      return decision
    } finally {
      this.#add(id, demand, -1)
    }
  }

  #note(id: string, standings: readonly Standing[]): void {
    if (this.#heard.size >= maxKeys) this.#heard.clear()
    this.#heard.set(id, { standings, at: this.#now() })
  }

  #add(id: string, demand: Demand, sign: 1 | -1): void {
    const asked = this.#asked.get(id) ?? { requests: 0, tokens: 0, images: 0 }
    asked.requests += sign
    asked.tokens += sign * demand.tokens.most
    asked.images += sign * demand.images.most
    if (asked.requests === 0) this.#asked.delete(id)
    else this.#asked.set(id, asked)
  }
}

/** Whether nobody notices when a call is settled: there is clear room, and much more than the call holds. */
export function hasClearRoom({
  standings,
  reserved,
}: Pick<Grant, 'standings' | 'reserved'>): boolean {
  const held: Record<LimitName, number> = {
    // Nothing gives it back.
    requestsPerMinute: 0,
    concurrentRequests: 1,
    tokensPerMinute: reserved.tokens,
    tokensPerDay: reserved.tokens,
    imagesPerDay: reserved.images,
  }
  return standings.every(
    ({ name, limit, remaining }) =>
      isClear(limit, remaining) && remaining >= clearCalls * held[name],
  )
}

function isClear(limit: number, remaining: number): boolean {
  return remaining >= limit * clearPart
}

function amountOf(name: LimitName, demand: Demand): number {
  const unit = unitOf[name]
  return unit === 'requests' ? 1 : demand[unit].most
}
