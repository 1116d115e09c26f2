import { describe, expect, it } from 'vitest'
import { constantSource } from '../../test/support/model/constant-source.ts'
import { randomValues } from '../../test/support/model/write-checkpoint.ts'
import { quantizeInChunks, type QuantizedBlocks } from './quantize.ts'

async function quantized(
  weights: Float32Array,
  width: number,
  blockSize: number,
): Promise<QuantizedBlocks> {
  const source = constantSource([weights.length / width, width], weights)
  const [values, scales]: [number[], number[]] = [[], []]
  for await (const chunk of quantizeInChunks(source, blockSize)) {
    expect(chunk.start * Math.ceil(width / blockSize)).toBe(scales.length)
    for (const value of chunk.values) values.push(value)
    for (const scale of chunk.scales) scales.push(scale)
  }
  return { values: Uint8Array.from(values), scales: Float32Array.from(scales) }
}

describe('quantizeInChunks()', () => {
  it.each([
    [64, 32],
    [588, 32],
    [100, 64],
    [5, 16],
  ])('keeps %i weights a row in blocks of %i within half a level', async (width, blockSize) => {
    const weights = randomValues(7 * width, width)
    const { values, scales } = await quantized(weights, width, blockSize)
    const blocks = Math.ceil(width / blockSize)
    expect(values.length).toBe(7 * blocks * blockSize)
    weights.forEach((weight, i) => {
      const [row, column] = [Math.floor(i / width), i % width]
      const scale = scales[row * blocks + Math.floor(column / blockSize)]!
      const restored = (values[row * blocks * blockSize + column]! - 128) * scale
      expect(Math.abs(restored - weight)).toBeLessThanOrEqual(scale * 0.5001)
    })
  })

  it('keeps the largest weight of a block exactly, on both sides', async () => {
    const { values, scales } = await quantized(Float32Array.of(-0.5, 0.5, 0.1, 0), 4, 16)
    expect([...values.subarray(0, 2)]).toEqual([1, 255])
    expect(scales[0]! * 127).toBeCloseTo(0.5, 6)
  })

  it('pads the last block with zero weights', async () => {
    const { values } = await quantized(new Float32Array(3).fill(1), 3, 16)
    expect([...values.subarray(3)]).toEqual(Array.from({ length: 13 }, () => 128))
  })

  it('reads more rows than fit into a chunk', async () => {
    const [rows, width] = [5_000, 60]
    const weights = randomValues(rows * width, width)
    const { values, scales } = await quantized(weights, width, 64)
    const last = await quantized(weights.slice(-width), width, 64)
    expect([values.length, scales.length]).toEqual([rows * 64, rows])
    expect(values.subarray(-64)).toEqual(last.values)
    expect(scales.at(-1)).toBe(last.scales[0])
  })

  it('gives a block of zeros the scale 1', async () => {
    expect([...(await quantized(new Float32Array(16), 16, 16)).scales]).toEqual([1])
  })
})
