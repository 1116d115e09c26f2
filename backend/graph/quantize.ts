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
 */
export function quantizeBlocks(
  weights: Float32Array,
  width: number,
  blockSize: number,
): QuantizedBlocks {
  const rows = weights.length / width
  const blocks = blocksPerRow(width, blockSize)
  const values = new Uint8Array(rows * blocks * blockSize).fill(zeroPoint)
  const scales = new Float32Array(rows * blocks)
  for (let row = 0; row < rows; row++) {
    for (let block = 0; block < blocks; block++) {
      const from = row * width + block * blockSize
      const to = Math.min(from + blockSize, (row + 1) * width)
      const scale = blockScale(weights, from, to)
      scales[row * blocks + block] = scale
      const inverse = 1 / scale
      let out = (row * blocks + block) * blockSize
      for (let i = from; i < to; i++) values[out++] = Math.round(weights[i]! * inverse) + zeroPoint
    }
  }
  return { values, scales }
}

function blockScale(weights: Float32Array, from: number, to: number): number {
  let largest = 0
  for (let i = from; i < to; i++) {
    const magnitude = Math.abs(weights[i]!)
    if (magnitude > largest) largest = magnitude
  }
  return Math.fround(largest / maxLevel) || 1
}
