import { describe, expect, it } from 'vitest'
import { countGifPixels } from './gif-codes.ts'

describe('countGifPixels()', () => {
  // The example of codes 4, 1, 6, 6, 2, 9, 9, 7, 8, 10, 2, 12, 1, 14, 15, 6, 0, 21, 0, 10, 7, 22, 23, 18, 26, 7, 10, 29,
  // 13, 24, 12, 18, 16, 36, 12, 5 for 10 x 10 pixels, in Flickinger's "What's in a GIF".
  const example = Buffer.from('8c2d99872a1cdc33a00275ec95faa8de608c04914c01', 'hex')

  it('counts pixels, up to a limit', () => {
    expect(countGifPixels(example, 2, 1_000)).toBe(100)
    expect(countGifPixels(example, 2, 60)).toBeGreaterThanOrEqual(60)
    expect(countGifPixels(example, 2, 60)).toBeLessThan(70)
  })

  it('counts those of the codes that are there', () => {
    expect(countGifPixels(example.subarray(0, 11), 2, 1_000)).toBeLessThan(50)
    expect(countGifPixels(new Uint8Array(), 2, 1_000)).toBe(0)
  })

  it('stops at codes without a meaning', () => {
    // Clear, 0, 7: of which only 0 to 6 exist by then.
    expect(countGifPixels(Uint8Array.of(0b11000100, 0b1), 2, 1_000)).toBe(1)
    expect(countGifPixels(Uint8Array.of(0, 0, 0), 200, 1_000)).toBe(0)
  })
})
