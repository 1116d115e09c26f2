import { describe, expect, it } from 'vitest'
import { resizeBicubic } from './resize-bicubic.ts'

/** Beside these, the golden images of prepare-image.test.ts hold the scaled pixels of the reference. */
function image(width: number, height: number, pixel: (x: number, y: number) => number) {
  const rgb = new Uint8Array(width * height * 3)
  for (let i = 0; i < width * height; i++) {
    rgb.fill(pixel(i % width, Math.floor(i / width)), i * 3, i * 3 + 3)
  }
  return { width, height, rgb }
}

describe('resizeBicubic()', () => {
  it('returns the image itself when the size stays', () => {
    const same = image(5, 4, (x) => x)
    expect(resizeBicubic(same, { width: 5, height: 4 })).toBe(same)
  })

  it.each([
    [7, 3],
    [50, 20],
    [20, 3],
    [1, 1],
  ])('keeps one colour at %i x %i', (width, height) => {
    const scaled = resizeBicubic(
      image(20, 10, () => 201),
      { width, height },
    )
    expect(scaled).toEqual(image(width, height, () => 201))
  })

  it('limits what the kernel overshoots at an edge to 0..255', () => {
    const edge = image(12, 1, (x) => (x < 6 ? 0 : 255))
    const { rgb } = resizeBicubic(edge, { width: 48, height: 1 })
    expect([rgb[0], rgb.at(-1)]).toEqual([0, 255])
    expect(rgb.subarray(0, 60).every((value) => value === 0)).toBe(true)
    expect(rgb.subarray(84).every((value) => value === 255)).toBe(true)
  })

  it('averages fine stripes away instead of picking some', () => {
    const stripes = image(100, 1, (x) => (x % 2) * 254)
    const { rgb } = resizeBicubic(stripes, { width: 10, height: 1 })
    const inside = rgb.subarray(3, -3)
    expect(inside.every((value) => Math.abs(value - 127) <= 1)).toBe(true)
  })

  it('scales columns as it scales rows', () => {
    const wide = image(40, 3, (x, y) => (x * 37 + y * 91) % 256)
    const high = image(3, 40, (x, y) => (y * 37 + x * 91) % 256)
    const a = resizeBicubic(wide, { width: 13, height: 3 })
    const b = resizeBicubic(high, { width: 3, height: 13 })
    for (let i = 0; i < 13; i++) {
      for (let j = 0; j < 3; j++) {
        expect(a.rgb[(j * 13 + i) * 3]).toBe(b.rgb[(i * 3 + j) * 3])
      }
    }
  })
})
