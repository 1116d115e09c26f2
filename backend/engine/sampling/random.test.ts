import { describe, expect, it } from 'vitest'
import { createRandom } from './random.ts'

function draws(seed: number, count: number): number[] {
  const random = createRandom(seed)
  return Array.from({ length: count }, random)
}

describe('createRandom()', () => {
  it('repeats a seed', () => {
    expect(draws(123, 100)).toEqual(draws(123, 100))
  })

  it('tells seeds apart that differ in one bit, high bits included', () => {
    const largest = Number.MAX_SAFE_INTEGER
    const positive = [1, 2, 2 ** 31, 2 ** 32, 2 ** 32 + 1, 2 ** 52, largest]
    const seeds = [0, ...positive, ...positive.map((seed) => -seed)]
    expect(new Set(seeds.map((seed) => draws(seed, 4).join())).size).toBe(seeds.length)
  })

  it('draws uniformly from [0, 1)', () => {
    const count = 100_000
    const bins = Array.from({ length: 50 }, () => 0)
    for (const value of draws(5, count)) {
      expect(value).toBeGreaterThanOrEqual(0)
      bins[Math.floor(value * bins.length)]! += 1
    }
    const expected = count / bins.length
    const chiSquare = bins.reduce((sum, seen) => sum + (seen - expected) ** 2 / expected, 0)
    // 49 degrees of freedom: 85.4 is the 99.9 % point.
    expect(chiSquare).toBeLessThan(85.4)
  })

  it('draws one after the other without visible correlation', () => {
    const values = draws(6, 50_000)
    const products = values.slice(1).map((value, i) => (value - 0.5) * (values[i]! - 0.5))
    const mean = products.reduce((sum, product) => sum + product) / products.length
    // Standard deviation of the mean: (1 / 12) / sqrt(50,000) = 3.7e-4.
    expect(Math.abs(mean)).toBeLessThan(1.5e-3)
  })

  it.each([0.5, 2 ** 53, -(2 ** 53), NaN])('refuses %s as a seed', (seed) => {
    expect(() => createRandom(seed)).toThrow(RangeError)
  })
})
