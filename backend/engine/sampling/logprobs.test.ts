import { describe, expect, it } from 'vitest'
import { largestIndices } from './logprobs.ts'
import { createRandom } from './random.ts'

/** By a full sort. */
function expected(values: Float32Array, count: number): number[] {
  const places = [...values.keys()].toSorted((a, b) => values[b]! - values[a]! || a - b)
  return places.slice(0, count)
}

describe('largestIndices()', () => {
  const random = createRandom(4)
  it.each([
    ['random', () => random()],
    ['rising', (i: number) => i],
    ['falling', (i: number) => -i],
    ['equal', () => 1],
    ['few different', (i: number) => (i * 7919) % 5],
    ['one high', (i: number) => (i === 5_000 ? 9 : 0)],
  ])('agrees with a full sort: %s values', (_name, valueAt) => {
    for (const size of [1, 19, 2_048, 2_049, 10_007, 163_840]) {
      const values = Float32Array.from({ length: size }, (_, i) => valueAt(i))
      for (const count of [0, 1, 20]) {
        expect(largestIndices(values, count)).toEqual(expected(values, count))
      }
    }
  })
})
