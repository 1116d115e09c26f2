import { describe, expect, it } from 'vitest'
import { atMost, forPieces } from './row-loops.ts'

describe('forPieces()', () => {
  it.each([0, 1, 1_023, 1_024, 1_025, 163_585])('visits %i places once, in order', (length) => {
    let next = 0
    forPieces(length, (from, to) => {
      expect(from).toBe(next)
      expect(to).toBeGreaterThan(from)
      next = to
    })
    expect(next).toBe(length)
  })

  it('makes all pieces but the last a multiple of 8 long', () => {
    const lengths: number[] = []
    forPieces(5_000, (from, to) => lengths.push(to - from))
    expect(lengths.slice(0, -1).every((length) => length % 8 === 0)).toBe(true)
  })
})

describe('atMost()', () => {
  it('is the lesser of the two', () => {
    expect([0, 1, 6, 7, 8, 100, 2 ** 31 - 1].map((index) => atMost(7, index))).toEqual([
      0, 1, 6, 7, 7, 7, 7,
    ])
  })
})
