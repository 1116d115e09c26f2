/**
 * The loops over a whole row of logits behind `LogitBins`: plain functions of typed arrays, for these compile best.
 * Tokens fall into bins of equal width by their distance from the most probable one, (top - logit) / temperature.
 * Within a bin, e^-x is a cubic around the bin's middle, so that no token costs an exponential of its own.
 */
import type { LogitRange } from './logit-range.ts'

/** Bins per unit of distance at least; bounds the cubic to a relative error of 3e-9. */
const binsPerUnit = 32

/**
 * Bins whose tokens may be drawn, 64 units of distance: e^-64, even 163,840 times, is below the rounding of the sum. One
 * bin more takes all that is further away.
 */
export const binCount = 64 * binsPerUnit - 1

/** A power of two, so that a mask proves an index to be within bounds. */
const slotMask = binCount

/** Logits are float32, so no two differ by less than 1e-45; keeps a tiny temperature from becoming 0 * Infinity. */
const maxScale = 1e60

/** Where bins lie: bin = floor((top - logit) * scale). Monotonic in the logit, whatever the rounding. */
export interface BinAxis {
  readonly top: number
  readonly scale: number
  /** Of one bin, in units of distance. */
  readonly width: number
}

/** A narrow row is spread over all bins; of a wide one, only the part that may be drawn is covered. */
export function createAxis({ top, bottom }: LogitRange, temperature: number): BinAxis {
  const least = Math.min(binsPerUnit / temperature, maxScale)
  const scale = bottom < top ? Math.max(least, (binCount - 1) / (top - bottom)) : least
  return { top, scale, width: least / scale / binsPerUnit }
}

/** @returns `binCount` for all that is too far away */
export function binOf({ top, scale }: BinAxis, logit: number): number {
  return Math.floor(Math.min((top - logit) * scale, binCount))
}

/** Mass of a token in the middle of a bin, the top's being 1. */
function binFactor({ width }: BinAxis, bin: number): number {
  return Math.exp(-(bin + 0.5) * width)
}

/** Counts and masses side by side: what is changed together lies together. */
export class BinSums {
  readonly #sums = new Float64Array(2 * (binCount + 1))

  /** Sums all tokens of a row into their bins. */
  fill(row: Float32Array, axis: BinAxis): void {
    this.#sums.fill(0)
    addToBins(row, axis.top, axis.scale, axis.width, this.#sums)
    for (let bin = 0; bin < binCount; bin++) {
      if (this.count(bin) !== 0) this.#sums[2 * bin]! *= binFactor(axis, bin)
    }
  }

  /** Of the tokens of a bin together. */
  mass(bin: number): number {
    return this.#sums[2 * bin]!
  }

  count(bin: number): number {
    return this.#sums[2 * bin + 1]!
  }
}

/** Of all tokens of a row that may be drawn. */
export function massOf(row: Float32Array, axis: BinAxis): number {
  const factors = new Float64Array(binCount + 1)
  for (let bin = 0; bin < binCount; bin++) factors[bin] = binFactor(axis, bin)
  return sumMasses(row, axis.top, axis.scale, axis.width, factors)
}

function sumMasses(
  row: Float32Array,
  top: number,
  scale: number,
  width: number,
  factors: Float64Array,
): number {
  let [evens, odds] = [0, 0]
  const even = row.length - (row.length % 2)
  for (let id = 0; id < even; id += 2) {
    const first = Math.min((top - row[id]!) * scale, slotMask)
    const second = Math.min((top - row[id + 1]!) * scale, slotMask)
    const firstBin = first | 0
    const secondBin = second | 0
    const x = (first - firstBin - 0.5) * width
    const y = (second - secondBin - 0.5) * width
    evens += factors[firstBin & slotMask]! * (1 - x * (1 - x * (1 / 2 - x * (1 / 6))))
    odds += factors[secondBin & slotMask]! * (1 - y * (1 - y * (1 / 2 - y * (1 / 6))))
  }
  if (even === row.length) return evens + odds
  return (
    evens + odds + sumMasses(Float32Array.of(row[even]!, -Infinity), top, scale, width, factors)
  )
}

/** Two tokens at a time, for the second need not wait for the first. */
function addToBins(
  row: Float32Array,
  top: number,
  scale: number,
  width: number,
  sums: Float64Array,
): void {
  const even = row.length - (row.length % 2)
  for (let id = 0; id < even; id += 2) {
    const first = Math.min((top - row[id]!) * scale, slotMask)
    const second = Math.min((top - row[id + 1]!) * scale, slotMask)
    const firstBin = first | 0
    const secondBin = second | 0
    const x = (first - firstBin - 0.5) * width
    const y = (second - secondBin - 0.5) * width
    const at = 2 * (firstBin & slotMask)
    const next = 2 * (secondBin & slotMask)
    sums[at]! += 1 - x * (1 - x * (1 / 2 - x * (1 / 6)))
    sums[at + 1]! += 1
    sums[next]! += 1 - y * (1 - y * (1 / 2 - y * (1 / 6)))
    sums[next + 1]! += 1
  }
  if (even < row.length) addToBins(Float32Array.of(row[even]!, -Infinity), top, scale, width, sums)
}

/**
 * The ids of a bin, rising.
 * @param members as many as the bin has; overwritten
 */
export function collectBin(
  row: Float32Array,
  axis: BinAxis,
  bin: number,
  members: Int32Array,
): void {
  // All logits of the bin and some beside it: one comparison for both ends, of which one would be mispredicted for
  // every other token. Four tokens at a time, for the loop costs as much as the comparison.
  const middle = axis.top - (bin + 0.5) / axis.scale
  const reach = 0.500_001 / axis.scale + Math.abs(axis.top) * Number.EPSILON
  const whole = row.length - (row.length % 4)
  let found = 0
  for (let id = 0; id < whole; id += 4) {
    const a = row[id]!
    const b = row[id + 1]!
    const c = row[id + 2]!
    const d = row[id + 3]!
    if (Math.abs(a - middle) <= reach && binOf(axis, a) === bin) members[found++] = id
    if (Math.abs(b - middle) <= reach && binOf(axis, b) === bin) members[found++] = id + 1
    if (Math.abs(c - middle) <= reach && binOf(axis, c) === bin) members[found++] = id + 2
    if (Math.abs(d - middle) <= reach && binOf(axis, d) === bin) members[found++] = id + 3
  }
  for (let id = whole; id < row.length; id++) {
    if (binOf(axis, row[id]!) === bin) members[found++] = id
  }
}

/** Adds up the masses of tokens of one bin until they exceed `limit`. @returns the sum, and how many were added */
export function addMembers(
  row: Float32Array,
  { top, scale, width }: BinAxis,
  bin: number,
  members: Int32Array,
  limit: number,
): { readonly mass: number; readonly added: number } {
  const factor = binFactor({ top, scale, width }, bin)
  const relativeLimit = limit / factor
  let mass = 0
  let added = 0
  while (added < members.length && mass <= relativeLimit) {
    const x = ((top - row[members[added]!]!) * scale - bin - 0.5) * width
    mass += 1 - x * (1 - x * (1 / 2 - x * (1 / 6)))
    added += 1
  }
  return { mass: mass * factor, added }
}
