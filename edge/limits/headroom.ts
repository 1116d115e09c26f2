import type { KeyIdentity } from '../keys/key-record.ts'
import { type Decision, type Demand, type LimitName, type Standing, unitOf } from './meter.ts'

/** Part of a limit that is left when its room is clear: more than others can use up while one reservation is on its way. */
const clearPart = 0.5

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

/** Whether every limit has clear room. */
export function hasClearRoom(standings: readonly Standing[]): boolean {
  return standings.every(({ limit, remaining }) => isClear(limit, remaining))
}

function isClear(limit: number, remaining: number): boolean {
  return remaining >= limit * clearPart
}

function amountOf(name: LimitName, demand: Demand): number {
  const unit = unitOf[name]
  return unit === 'requests' ? 1 : demand[unit].most
}
