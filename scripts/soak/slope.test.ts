import { describe, expect, it } from 'vitest'
import { slope, slopeBeside } from './slope.ts'

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

describe('slopeBeside()', () => {
  it('separates what grows with time from what comes and goes', () => {
    const threads = [1, 2, 2, 1, 2, 2]
    const points = threads.map((x, hours) => ({ x, beside: hours, y: 240 + 20 * x + 3 * hours }))
    expect(slopeBeside(points)).toBeCloseTo(20)
    expect(slopeBeside(points.map((point) => ({ ...point, x: 1 })))).toBe(0)
  })
})
