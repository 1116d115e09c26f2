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

/** Bits of a float32 but the sign; compared as integers they order magnitudes, and from infinity on it is not finite. */
const magnitudeBits = 0x7fff_ffff
const infinityBits = 0x7f80_0000

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
  if (width % blockSize !== 0) values.fill(zeroPoint)
  const scales = new Float32Array(rows * blocks)
  const bits = new Int32Array(weights.buffer, weights.byteOffset, weights.length)
  let index = 0
  for (let row = 0; row < rows; row++) {
    const end = (row + 1) * width
    for (let from = row * width; from < end; from += blockSize, index++) {
      const to = Math.min(from + blockSize, end)
      const scale = Math.fround(largestIn(bits, from, to) / maxLevel) || 1
      scales[index] = scale
      quantize(weights, from, to, 1 / scale, values, index * blockSize)
    }
  }
  return { values, scales }
}

function largestIn(bits: Int32Array, from: number, to: number): number {
  let largest = 0
  for (let i = from; i < to; i++) {
    const magnitude = bits[i]! & magnitudeBits
    if (magnitude > largest) largest = magnitude
  }
  if (largest >= infinityBits) throw new RangeError('A weight is not a finite number')
  oneWord[0] = largest
  return oneFloat[0]!
}

/** The same four bytes, as an integer and as a float. */
const oneWord = new Int32Array(1)
const oneFloat = new Float32Array(oneWord.buffer)

function quantize(
  weights: Float32Array,
  from: number,
  to: number,
  inverse: number,
  values: Uint8Array,
  at: number,
): void {
  // Positive, so cutting off the fraction rounds down: after adding a half, to the nearest.
  const shift = zeroPoint + 0.5
  for (let i = from, out = at; i < to; i++, out++) values[out] = (weights[i]! * inverse + shift) | 0
}
