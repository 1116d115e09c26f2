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
   * Draws a kept token according to its probability.
   * @param uniform from [0, 1)
   */
  draw(cut: Cut, uniform: number): number {
    const last = binOf(this.#axis, cut.logit)
    let left = uniform * this.massUpTo(cut)
    let filled = 0
    for (let bin = 0; bin < last; bin++) {
      const mass = this.#sums.mass(bin)
      if (mass === 0) continue
      if (left < mass) return this.#pick(bin, this.#membersOf(bin), left)
      left -= mass
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

  #pick(bin: number, members: Int32Array, mass: number): number {
    return members[this.#add(bin, members, mass).added - 1]!
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
    const ordered = members.toSorted((a, b) => this.#row[b]! - this.#row[a]! || a - b)
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
    const logits = gather(this.#row, members)
    const range = this.#rangeOf(members)
    const finer = new LogitBins()
    finer.fill(logits, range, this.#temperature)
    const unit = Math.exp((range.top - this.#range.top) / this.#temperature)
    const cut = finer.#cut(measure === 'count' ? limit : limit / unit, measure)
    return cut === keepAll
      ? { logit: range.bottom, id: Infinity }
      : { logit: cut.logit, id: members[cut.id]! }
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
