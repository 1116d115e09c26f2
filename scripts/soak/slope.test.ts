import { describe, expect, it } from 'vitest'
import { slope } from './slope.ts'

describe('slope()', () => {
  it('finds the slope of a line, and of one with even noise', () => {
    expect(slope([1, 2, 5].map((x) => ({ x, y: 3 * x + 1 })))).toBeCloseTo(3)
    expect(slope([0, 1, 2, 3].map((x) => ({ x, y: [5, 4, 4, 5][x]! })))).toBe(0)
  })

  it('is 0 where there is none', () => {
    expect(slope([])).toBe(0)
    expect(slope([{ x: 1, y: 2 }])).toBe(0)
  })
})
