import { describe, expect, it } from 'vitest'
import { randomValues } from '../../test/support/model/write-checkpoint.ts'
import { quantizeBlocks } from './quantize.ts'

describe('quantizeBlocks()', () => {
  it.each([
    [64, 32],
    [588, 32],
    [100, 64],
    [5, 16],
  ])('keeps %i weights a row in blocks of %i within half a level', (width, blockSize) => {
    const weights = randomValues(7 * width, width)
    const { values, scales } = quantizeBlocks(weights, width, blockSize)
    const blocks = Math.ceil(width / blockSize)
    expect(values.length).toBe(7 * blocks * blockSize)
    weights.forEach((weight, i) => {
      const [row, column] = [Math.floor(i / width), i % width]
      const scale = scales[row * blocks + Math.floor(column / blockSize)]!
      const restored = (values[row * blocks * blockSize + column]! - 128) * scale
      expect(Math.abs(restored - weight)).toBeLessThanOrEqual(scale * 0.5001)
    })
  })

  it('keeps the largest weight of a block exactly, on both sides', () => {
    const { values, scales } = quantizeBlocks(Float32Array.of(-0.5, 0.5, 0.1, 0), 4, 16)
    expect([...values.subarray(0, 2)]).toEqual([1, 255])
    expect(scales[0]! * 127).toBeCloseTo(0.5, 6)
  })

  it('pads the last block with zero weights', () => {
    const { values } = quantizeBlocks(new Float32Array(3).fill(1), 3, 16)
    expect([...values.subarray(3)]).toEqual(Array.from({ length: 13 }, () => 128))
  })

  it('gives a block of zeros the scale 1', () => {
    expect([...quantizeBlocks(new Float32Array(16), 16, 16).scales]).toEqual([1])
  })
})
