import { describe, expect, it } from 'vitest'
import { hasClearRoom } from './clear-room.ts'
import type { Standing } from './meter.ts'

function standings(requests: number, tokens: number): { standings: Standing[] } {
  return {
    standings: [
      { name: 'requestsPerMinute', limit: 100, remaining: requests, resetMs: 1 },
      { name: 'tokensPerDay', limit: 1_000, remaining: tokens, resetMs: 1 },
    ],
  }
}

describe('hasClearRoom()', () => {
  const nothing = { tokens: 0, images: 0 }

  it('asks for half of every limit', () => {
    expect(hasClearRoom({ ...standings(50, 500), reserved: nothing })).toBe(true)
    expect(hasClearRoom({ ...standings(50, 499), reserved: nothing })).toBe(false)
    expect(hasClearRoom({ standings: [], reserved: { tokens: 4_000, images: 16 } })).toBe(true)
  })

  it.each([
    ['concurrentRequests', 500, 255, false],
    ['concurrentRequests', 500, 256, true],
    ['concurrentRequests', 1_000, 499, false],
    ['tokensPerDay', 50_000, 25_599, false],
    ['tokensPerDay', 50_000, 25_600, true],
    ['imagesPerDay', 600, 511, false],
    ['imagesPerDay', 600, 512, true],
    ['requestsPerMinute', 100, 50, true],
  ] as const)(
    'asks for 256 times what the call holds of %s (%i, %i left)',
    (name, limit, remaining, expected) => {
      const all: Standing[] = [{ name, limit, remaining, resetMs: undefined }]
      expect(hasClearRoom({ standings: all, reserved: { tokens: 100, images: 2 } })).toBe(expected)
    },
  )
})
