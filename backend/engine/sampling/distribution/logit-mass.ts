/**
 * The sum of e^logit over a vocabulary, without an exponential for each logit: a table has e^-x at the middle of
 * small steps, and within a step it is approximated by a parabola around the middle, with an error of at most 1.3e-9.
 */
import { atMost, forPieces } from './row-loops.ts'

/** Per unit of distance from the largest logit. */
const stepsPerUnit = 256

/** Anything further than 32 units is left out: e^-32, even 163,840 times, is 2.1e-9. A power of two less one. */
const lastStep = 32 * stepsPerUnit - 1

/** By step, divided by the constant factor in `massOfPairs`; the last one stands for everything further away. */
const masses = Float64Array.from({ length: lastStep + 1 }, (_, step) => {
  return step < lastStep ? Math.exp(-(step + 0.5) / stepsPerUnit) / (2 * stepsPerUnit ** 2) : 0
})

/** Distances are clamped to this, so that they are int32. */
const farthest = 2 ** 30

/**
 * @param top the largest logit
 * @returns the sum of e^(logit - top), with a relative error of 3.4e-9 at most
 */
export function massOf(row: Float32Array, top: number): number {
  const even = row.length - (row.length % 2)
  let mass = even < row.length ? Math.exp(row[even]! - top) : 0
  forPieces(even, (from, to) => {
    mass += massOfPairs(row, top, from, to)
  })
  return mass
}

/**
 * Two at a time, so that the second need not wait for the first. The parabola of e^-x is 1 - x + x²/2 = ((1 - x)² +
 * 1) / 2; with distances in steps, of which a unit has `scale`, it is ((scale - x)² + scale²) / (2 scale²).
 */
function massOfPairs(row: Float32Array, top: number, from: number, to: number): number {
  // V8 reads a module's constants again and again, but not a function's.
  const [scale, last, far, table] = [stepsPerUnit, lastStep, farthest, masses]
  const [middle, squared] = [scale + 0.5, scale ** 2]
  let [evens, odds] = [0, 0]
  for (let id = from; id < to; id += 2) {
    const first = Math.min((top - row[id]!) * scale, far)
    const second = Math.min((top - row[id + 1]!) * scale, far)
    const firstStep = first | 0
    const secondStep = second | 0
    const x = middle + firstStep - first
    const y = middle + secondStep - second
    evens += table[atMost(last, firstStep)]! * (x * x + squared)
    odds += table[atMost(last, secondStep)]! * (y * y + squared)
  }
  return evens + odds
}
