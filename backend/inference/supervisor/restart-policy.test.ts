import { describe, expect, it } from 'vitest'
import { nextRestartDelay } from './restart-policy.ts'

const delays = { firstMs: 100, mostMs: 1_000, healthyMs: 60_000 }

describe('nextRestartDelay()', () => {
  it('doubles up to the most', () => {
    const seen: number[] = []
    for (let i = 0; i < 6; i++) seen.push(nextRestartDelay(seen.at(-1), 0, delays))
    expect(seen).toEqual([100, 200, 400, 800, 1_000, 1_000])
  })

  it('starts over after a healthy time', () => {
    expect(nextRestartDelay(800, 59_999, delays)).toBe(1_000)
    expect(nextRestartDelay(800, 60_000, delays)).toBe(100)
  })
})
