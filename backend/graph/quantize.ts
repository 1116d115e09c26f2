import { quantizeRows } from './kernels/kernels.ts'

/** 8-bit weights as `com.microsoft.MatMulNBits` reads them: symmetric, one float32 scale per block, zero point 128. */
export interface QuantizedBlocks {
  /** [rows, blocks, blockSize], unsigned; the last block of a row is padded with zero weights. */
  readonly values: Uint8Array
  /** [rows, blocks] */
  readonly scales: Float32Array
}

/** The stored, unsigned form of the level 0. */
export const zeroPoint = 128
/** Largest magnitude of a quantised weight; -128 stays unused so that the range is symmetric. */
export const maxLevel = 127

export function blocksPerRow(width: number, blockSize: number): number {
  return Math.ceil(width / blockSize)
}

/**
 * Quantises rows of `width` weights: scale = max |w| / 127 over each block, q = round(w / scale) + 128.
 * A block of zeros gets scale 1.
 * @throws {RangeError} when a weight is NaN or infinite, since it would spread through all activations
 */
export function quantizeBlocks(
  weights: Float32Array,
  width: number,
  blockSize: number,
): QuantizedBlocks {
  const rows = weights.length / width
  const blocks = blocksPerRow(width, blockSize)
  const values = new Uint8Array(rows * blocks * blockSize)
  const scales = new Float32Array(rows * blocks)
  if (quantizeRows(weights, { width, blockSize }, values, scales)) return { values, scales }
  throw new RangeError('A weight is not a finite number')
}
