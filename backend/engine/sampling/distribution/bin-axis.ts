/**
 * The loops over the logits of a whole vocabulary behind `LogitBins`. Tokens fall into bins of equal width by their
 * distance from the most probable one, (top - logit) / temperature. Within a bin, e^-x is approximated by a cubic
 * around the bin's middle, so that no token needs an exponential of its own.
 */
import type { LogitRange } from './logit-range.ts'
import { atMost, forPieces } from './row-loops.ts'

/** The fewest bins per unit of distance; bounds the cubic to a relative error of 3e-9. */
const binsPerUnit = 32

/**
 * Bins whose tokens may be drawn, 64 units of distance: e^-64, even 163,840 times, is below the rounding error of the
 * sum. One more bin takes everything that is further away.
 */
export const binCount = 64 * binsPerUnit - 1

/** A power of two less one, so that a mask proves an index to be within bounds. */
const slotMask = binCount

/** Distances beyond this many bins are for `addToken`. */
const int32End = 2 ** 31

/** Logits are float32, so no two differ by less than 1e-45; keeps a tiny temperature from resulting in 0 * Infinity. */
const maxScale = 1e60

/** Position of the bins: bin = floor((top - logit) * scale). Monotonic in the logit, regardless of rounding. */
export interface BinAxis {
  readonly top: number
  readonly scale: number
  /** Width of one bin, in units of distance. */
  readonly width: number
  /** From the largest to the smallest logit, in bins; may be far more than there are. */
  readonly length: number
}

/** A narrow range is spread over all bins; of a wide one, only the part that may be drawn is covered. */
export function createAxis({ top, bottom }: LogitRange, temperature: number): BinAxis {
  const least = Math.min(binsPerUnit / temperature, maxScale)
  const scale = bottom < top ? Math.max(least, (binCount - 1) / (top - bottom)) : least
  return { top, scale, width: least / scale / binsPerUnit, length: (top - bottom) * scale }
}

/** @returns `binCount` for everything that is too far away */
export function binOf({ top, scale }: BinAxis, logit: number): number {
  return Math.floor(Math.min((top - logit) * scale, binCount))
}

/** Mass of a token in the middle of a bin, relative to the top token's. */
function binFactor({ width }: BinAxis, bin: number): number {
  return Math.exp(-(bin + 0.5) * width)
}

/** Counts and masses side by side, because they are changed together. */
export class BinSums {
  readonly #sums = new Float64Array(2 * (binCount + 1))

  /** Sums up all tokens in their bins. */
  fill(row: Float32Array, axis: BinAxis): void {
    const sums = this.#sums.fill(0)
    const inPairs = axis.length < int32End ? row.length - (row.length % 2) : 0
    forPieces(inPairs, (from, to) => {
      addPairs(sums, axis, row, from, to)
    })
    for (let id = inPairs; id < row.length; id++) addToken(sums, axis, row[id]!)
    for (let bin = 0; bin < binCount; bin++) {
      if (this.count(bin) !== 0) this.#sums[2 * bin]! *= binFactor(axis, bin)
    }
  }

  /** Total mass of the tokens in a bin. */
  mass(bin: number): number {
    return this.#sums[2 * bin]!
  }

  count(bin: number): number {
    return this.#sums[2 * bin + 1]!
  }
}

/** Two tokens at a time, so that the second need not wait for the first. Distances in bins must be int32. */
function addPairs(
  sums: Float64Array,
  { top, scale, width }: BinAxis,
  row: Float32Array,
  from: number,
  to: number,
): void {
  // V8 reads a module's constants again and again, but not a function's.
  const last = slotMask
  // The coefficients of `relativeMass`, for distances in bins.
  const [linear, square, cube] = [-width, width ** 2 / 2, -(width ** 3) / 6]
  for (let id = from; id < to; id += 2) {
    const first = (top - row[id]!) * scale
    const second = (top - row[id + 1]!) * scale
    const firstBin = first | 0
    const secondBin = second | 0
    const x = first - firstBin - 0.5
    const y = second - secondBin - 0.5
    const at = 2 * atMost(last, firstBin)
    const next = 2 * atMost(last, secondBin)
    sums[at]! += 1 + x * (linear + x * (square + x * cube))
    sums[at + 1]! += 1
    sums[next]! += 1 + y * (linear + y * (square + y * cube))
    sums[next + 1]! += 1
  }
}

/** Adds a token at any distance. */
function addToken(sums: Float64Array, { top, scale, width }: BinAxis, logit: number): void {
  const distance = Math.min((top - logit) * scale, binCount)
  const bin = Math.floor(distance)
  sums[2 * bin]! += relativeMass((distance - bin - 0.5) * width)
  sums[2 * bin + 1]! += 1
}

/** e^-x, where `x` is the distance from the middle of a bin. */
function relativeMass(x: number): number {
  return 1 - x * (1 - x * (1 / 2 - x * (1 / 6)))
}

/**
 * The ids of a bin, in ascending order.
 * @param members as long as the bin's count; overwritten
 */
export function collectBin(
  row: Float32Array,
  axis: BinAxis,
  bin: number,
  members: Int32Array,
): void {
  // Finds all logits of the bin and a few beyond it with one comparison for both ends. Of two comparisons, one would
  // be mispredicted for every other token.
  const middle = axis.top - (bin + 0.5) / axis.scale
  const reach = 0.500_001 / axis.scale + Math.abs(axis.top) * Number.EPSILON
  let found = 0
  forPieces(row.length, (from, to) => {
    if (found === members.length) return
    let id = from
    while ((id = nextNear(row, id, to, middle, reach)) < to) {
      for (const end = Math.min(id + 8, to); id < end; id++) {
        if (binOf(axis, row[id]!) === bin) members[found++] = id
      }
    }
  })
}

/** @returns index of eight tokens of which some are near, or the end */
function nextNear(
  row: Float32Array,
  from: number,
  to: number,
  middle: number,
  reach: number,
): number {
  let id = from
  for (; id + 7 < to; id += 8) {
    if (Math.abs(row[id]! - middle) <= reach) break
    if (Math.abs(row[id + 1]! - middle) <= reach) break
    if (Math.abs(row[id + 2]! - middle) <= reach) break
    if (Math.abs(row[id + 3]! - middle) <= reach) break
    if (Math.abs(row[id + 4]! - middle) <= reach) break
    if (Math.abs(row[id + 5]! - middle) <= reach) break
    if (Math.abs(row[id + 6]! - middle) <= reach) break
    if (Math.abs(row[id + 7]! - middle) <= reach) break
  }
  return id
}

/** Adds up the masses of a bin's tokens until they exceed `limit`. @returns the sum, and how many were added */
export function addMembers(
  row: Float32Array,
  axis: BinAxis,
  bin: number,
  members: Int32Array,
  limit: number,
): { readonly mass: number; readonly added: number } {
  const { top, scale, width } = axis
  const factor = binFactor(axis, bin)
  const relativeLimit = limit / factor
  let mass = 0
  let added = 0
  while (added < members.length && mass <= relativeLimit) {
    mass += relativeMass(((top - row[members[added]!]!) * scale - bin - 0.5) * width)
    added += 1
  }
  return { mass: mass * factor, added }
}
