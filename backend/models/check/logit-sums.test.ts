import { describe, expect, it } from 'vitest'
import { randomValues } from '../../../test/support/model/write-checkpoint.ts'
import { DivergenceSums, LogitSums } from './logit-sums.ts'

const logits = (seed: number) => randomValues(1000, seed).map((value) => 30 * value)

/** Probabilities, all at once. */
function probabilities(values: Float32Array): Float64Array {
  const sum = values.reduce((total, value) => total + Math.exp(value), 0)
  return Float64Array.from(values, (value) => Math.exp(value) / sum)
}

describe('LogitSums', () => {
  it.each([1, 7, 1000])('finds the likeliest token and ln of the sum in pieces of %i', (size) => {
    const values = logits(1)
    const sums = new LogitSums()
    for (let at = 0; at < values.length; at += size) sums.add(at, values.subarray(at, at + size))
    expect(sums.bestId).toBe(values.indexOf(Math.max(...values)))
    expect(Math.exp(values[17]! - sums.logOfSum)).toBeCloseTo(probabilities(values)[17]!, 10)
  })

  it('takes the first of several equal ones', () => {
    const sums = new LogitSums()
    sums.add(0, Float32Array.of(1, 3, 3))
    sums.add(3, Float32Array.of(3, 2))
    expect(sums.bestId).toBe(1)
  })
})

describe('DivergenceSums', () => {
  it.each([1, 7, 1000])('is the divergence of the probabilities, in pieces of %i', (size) => {
    const [a, b] = [logits(1), logits(1).map((value, i) => value + Math.sin(i))]
    const sums = new DivergenceSums()
    for (let at = 0; at < a.length; at += size) {
      sums.add(at, a.subarray(at, at + size), b.subarray(at, at + size))
    }
    const [p, q] = [probabilities(a), probabilities(b)]
    const expected = p.reduce((sum, x, i) => sum + x * Math.log(x / q[i]!), 0)
    expect(sums.divergence).toBeCloseTo(expected, 10)
    expect(expected).toBeGreaterThan(0.01)
  })

  it('is nothing for the same logits', () => {
    const sums = new DivergenceSums()
    sums.add(0, logits(3), logits(3))
    expect(sums.divergence).toBeCloseTo(0, 12)
  })
})
