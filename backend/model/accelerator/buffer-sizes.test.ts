import { expect, it } from 'vitest'
import { bufferBytes, largestReusedBytes, largestTensor } from './buffer-sizes.ts'

it('rounds tensors up to the sizes that are reused, and others not', () => {
  expect([1, 64, 65, 30_000_000].map(bufferBytes)).toEqual([64, 64, 128, 33_554_432])
  expect(bufferBytes(largestReusedBytes)).toBe(largestReusedBytes)
  expect(bufferBytes(largestReusedBytes + 1)).toBe(largestReusedBytes + 1)
})

it('knows the largest tensor that fits', () => {
  expect([0, 63, 64, 127, 2e9].map(largestTensor)).toEqual([0, 0, 64, 64, 2e9])
  for (let bytes = 64; bytes < 4e8; bytes = Math.ceil(1.7 * bytes)) {
    expect(bufferBytes(largestTensor(bytes))).toBeLessThanOrEqual(bytes)
    expect(bufferBytes(largestTensor(bytes) + 1)).toBeGreaterThan(bytes)
  }
})
