/**
 * Order and probability of the logits of a vocabulary without sorting it: probabilities are summed up in bins, whole
 * bins are kept or dropped, and only the one bin that a limit cuts through is sorted. The logits, 163,840 of them,
 * are read once to fill the bins, and once more for each bin that is inspected.
 */
import { addMembers, binCount, binOf, collectBin, createAxis, BinSums } from './bin-axis.ts'
import { rangeOf, type LogitRange } from './logit-range.ts'

/** A bin with more members is divided into bins itself: sorting 512 takes about 50 microseconds. */
const maxSorted = 512

/** Rounding error of sums of 163,840 masses; it must not cause a token to be kept. */
const rounding = 1e-12

/** The last token kept in the order of falling logits, with lower ids first among equals. It need not occur. */
export interface Cut {
  readonly logit: number
  readonly id: number
}

export const keepAll: Cut = { logit: -Infinity, id: Infinity }

/** The stricter of two cuts. */
export function stricter(a: Cut, b: Cut): Cut {
  return keeps(a, b.logit, b.id) ? b : a
}

function keeps(cut: Cut, logit: number, id: number): boolean {
  return logit > cut.logit || (logit === cut.logit && id <= cut.id)
}

/**
 * The probabilities given by one set of logits at one temperature; ids are indices. Masses are relative to the most
 * probable token's probability. One object is reused for many sets of logits, one after the other.
 */
export class LogitBins {
  readonly #sums = new BinSums()
  /** Members of the bins inspected so far. */
  readonly #members = new Map<number, Int32Array>()
  /** Kept members, for each cut asked for so far. */
  readonly #kept = new Map<Cut, Int32Array>()
  #row: Float32Array = new Float32Array(0)
  #range: LogitRange = { top: 0, bottom: 0 }
  #temperature = 1
  #axis = createAxis({ top: 0, bottom: 0 }, 1)

  /** @param row read again by the methods below; must not change in the meantime */
  fill(row: Float32Array, range: LogitRange, temperature: number): void {
    this.#row = row
    this.#range = range
    this.#temperature = temperature
    this.#axis = createAxis(range, temperature)
    this.#members.clear()
    this.#kept.clear()
    this.#sums.fill(row, this.#axis)
  }

  /** Keeps this many of the most probable tokens, or all if there are fewer. */
  cutAtCount(count: number): Cut {
    return this.#cut(count, 'count')
  }

  /** Keeps the smallest set of most probable tokens that reaches a mass. */
  cutAtMass(mass: number): Cut {
    return this.#cut(mass * (1 - rounding), 'mass')
  }

  /** Total mass of the kept tokens. */
  massUpTo(cut: Cut): number {
    const last = binOf(this.#axis, cut.logit)
    let mass = this.#add(last, this.#keptMembers(last, cut), Infinity).mass
    for (let bin = 0; bin < last; bin++) mass += this.#sums.mass(bin)
    return mass
  }

  /**
   * Draws a kept token according to its probability: in the order of falling logits, with lower ids first among equals,
   * the first at which the sum of masses exceeds a share of all.
   * @param uniform from [0, 1)
   */
  draw(cut: Cut, uniform: number): number {
    return this.#at(cut, uniform * this.massUpTo(cut))
  }

  /** The kept token at which the sum of masses exceeds `mass`. */
  #at(cut: Cut, mass: number): number {
    const last = binOf(this.#axis, cut.logit)
    let left = mass
    let filled = 0
    for (let bin = 0; bin < last; bin++) {
      const all = this.#sums.mass(bin)
      if (all === 0) continue
      if (left < all) return this.#pick(bin, this.#membersOf(bin), left)
      left -= all
      filled = bin
    }
    const members = this.#keptMembers(last, cut)
    // Rounding may leave a remainder after the last token.
    return members.length > 0
      ? this.#pick(last, members, left)
      : this.#pick(filled, this.#membersOf(filled), Infinity)
  }

  /** Ids of a bin, in ascending order. */
  #membersOf(bin: number): Int32Array {
    const known = this.#members.get(bin)
    if (known !== undefined) return known
    const members = new Int32Array(bin < binCount ? this.#sums.count(bin) : 0)
    if (members.length > 0) collectBin(this.#row, this.#axis, bin, members)
    this.#members.set(bin, members)
    return members
  }

  #keptMembers(bin: number, cut: Cut): Int32Array {
    const known = this.#kept.get(cut)
    if (known !== undefined) return known
    const members = this.#membersOf(bin)
    const kept = new Int32Array(members.length)
    let count = 0
    for (let i = 0; i < members.length; i++) {
      const id = members[i]!
      if (keeps(cut, this.#row[id]!, id)) kept[count++] = id
    }
    const filled = kept.subarray(0, count)
    this.#kept.set(cut, filled)
    return filled
  }

  /** The first of a bin's members, in falling order, at which the sum of their masses exceeds `mass`, or the last. */
  #pick(bin: number, members: Int32Array, mass: number): number {
    const range = this.#rangeOf(members)
    if (range.top > range.bottom && members.length > maxSorted) {
      const { finer, unit } = this.#divided(members, range)
      return members[finer.#at(keepAll, mass / unit)]!
    }
    const ordered = range.top > range.bottom ? this.#ordered(members) : members
    return ordered[this.#add(bin, ordered, mass).added - 1]!
  }

  #add(bin: number, members: Int32Array, limit: number) {
    return addMembers(this.#row, this.#axis, bin, members, limit)
  }

  #cut(limit: number, measure: 'count' | 'mass'): Cut {
    let before = 0
    for (let bin = 0; bin < binCount; bin++) {
      const reached = before + this.#sums[measure](bin)
      if (reached >= limit) return this.#cutWithin(bin, limit - before, measure)
      before = reached
    }
    return keepAll
  }

  /** @param limit at most what the bin has, apart from rounding */
  #cutWithin(bin: number, limit: number, measure: 'count' | 'mass'): Cut {
    const members = this.#membersOf(bin)
    const { top, bottom } = this.#rangeOf(members)
    if (top === bottom) return this.#cutEquals(members, bin, limit, measure)
    if (members.length > maxSorted) return this.#cutFiner(members, limit, measure)
    const ordered = this.#ordered(members)
    return this.#cutAt(ordered, measure === 'count' ? limit : this.#add(bin, ordered, limit).added)
  }

  /** Among equals, lower ids come first. */
  #cutEquals(members: Int32Array, bin: number, limit: number, measure: 'count' | 'mass'): Cut {
    if (measure === 'count') return this.#cutAt(members, limit)
    const { mass } = this.#add(bin, members.subarray(0, 1), Infinity)
    return this.#cutAt(members, Math.ceil(limit / mass))
  }

  #cutAt(ordered: Int32Array, count: number): Cut {
    const id = ordered[Math.max(1, Math.min(count, ordered.length)) - 1]!
    return { logit: this.#row[id]!, id }
  }

  /** Divides a bin with many members into bins of its own. */
  #cutFiner(members: Int32Array, limit: number, measure: 'count' | 'mass'): Cut {
    const range = this.#rangeOf(members)
    const { finer, unit } = this.#divided(members, range)
    const cut = finer.#cut(measure === 'count' ? limit : limit / unit, measure)
    return cut === keepAll
      ? { logit: range.bottom, id: Infinity }
      : { logit: cut.logit, id: members[cut.id]! }
  }

  /** Bins of some tokens alone. @returns `unit`, the mass here of 1 there */
  #divided(members: Int32Array, range: LogitRange): { finer: LogitBins; unit: number } {
    const finer = new LogitBins()
    finer.fill(gather(this.#row, members), range, this.#temperature)
    return { finer, unit: Math.exp((range.top - this.#range.top) / this.#temperature) }
  }

  #ordered(members: Int32Array): Int32Array {
    return members.toSorted((a, b) => this.#row[b]! - this.#row[a]! || a - b)
  }

  #rangeOf(members: Int32Array): LogitRange {
    return members.length === this.#row.length ? this.#range : rangeOf(gather(this.#row, members))!
  }
}

function gather(row: Float32Array, ids: Int32Array): Float32Array {
  const logits = new Float32Array(ids.length)
  for (let i = 0; i < ids.length; i++) logits[i] = row[ids[i]!]!
  return logits
}
