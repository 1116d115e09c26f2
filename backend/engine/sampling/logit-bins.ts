/**
 * Order and probability among a row of logits without sorting it: probabilities are summed into bins, whole bins are
 * kept or dropped, and only the one bin that a limit cuts through is put in order. A row of 163,840 is read once to
 * fill the bins, and once more for each bin that is looked into.
 */
import { addMembers, binCount, binOf, collectBin, createAxis, BinSums } from './bin-axis.ts'
import { rangeOf, type LogitRange } from './logit-range.ts'

/** A bin with more members is cut into bins itself: sorting 512 takes some 50 microseconds. */
const maxSorted = 512

/** What sums of 163,840 masses may differ by: no token is kept for its sake. */
const rounding = 1e-12

/** The last token kept of an order by falling logit, lower ids first among equals. The row need not have it. */
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
 * The probabilities of one row of logits at one temperature, ids being indices of the row. Masses are multiples of the
 * most probable token's probability. One object serves many rows, one after the other.
 */
export class LogitBins {
  readonly #sums = new BinSums()
  /** Of the bins that were looked into. */
  readonly #members = new Map<number, Int32Array>()
  /** Members that are kept, for each cut that was asked about. */
  readonly #kept = new Map<Cut, Int32Array>()
  #row: Float32Array = new Float32Array(0)
  #range: LogitRange = { top: 0, bottom: 0 }
  #temperature = 1
  #axis = createAxis({ top: 0, bottom: 0 }, 1)

  /** @param row read again by the methods below; must not change meanwhile */
  fill(row: Float32Array, range: LogitRange, temperature: number): void {
    this.#row = row
    this.#range = range
    this.#temperature = temperature
    this.#axis = createAxis(range, temperature)
    this.#members.clear()
    this.#kept.clear()
    this.#sums.fill(row, this.#axis)
  }

  /** Keeps so many most probable tokens; all of them, when there are no more. */
  cutAtCount(count: number): Cut {
    return this.#cut(count, 'count')
  }

  /** Keeps the fewest tokens that reach a mass together. */
  cutAtMass(mass: number): Cut {
    return this.#cut(mass * (1 - rounding), 'mass')
  }

  /** Of the tokens that are kept. */
  massUpTo(cut: Cut): number {
    const last = binOf(this.#axis, cut.logit)
    let mass = this.#add(last, this.#keptMembers(last, cut), Infinity).mass
    for (let bin = 0; bin < last; bin++) mass += this.#sums.mass(bin)
    return mass
  }

  /**
   * Draws a kept token by its probability.
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
    // Rounding may leave a remainder behind the last token.
    return members.length > 0
      ? this.#pick(last, members, left)
      : this.#pick(filled, this.#membersOf(filled), Infinity)
  }

  /** Ids of a bin, rising. */
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

  /** @param limit at most what the bin has, but for rounding */
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

  /** Cuts a bin of many members by bins of its own. */
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
