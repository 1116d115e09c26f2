import { lendFloats, quantizeRows } from './kernels/kernels.ts'
import { chunkRows, readInChunks, rowSize, type WeightSource } from './weight-source.ts'

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

interface QuantizedChunk extends QuantizedBlocks {
  /** First row. */
  readonly start: number
}

/**
 * Quantises a weight from its first to its last row, a bounded number at a time: scale = max |w| / 127 over each block,
 * q = round(w / scale) + 128. A block of zeros gets scale 1. A chunk is overwritten by the next: new memory for each would make
 * V8 collect garbage for every 64 MB of a model.
 * @throws {RangeError} when a weight is NaN or infinite, since it would spread through all activations
 */
export async function* quantizeInChunks(
  weight: WeightSource,
  blockSize: number,
): AsyncGenerator<QuantizedChunk, void> {
  const width = rowSize(weight)
  const blocks = blocksPerRow(width, blockSize)
  const step = chunkRows(weight)
  const levels = lendFloats(Math.ceil((step * blocks * blockSize) / 4))
  const scaled = lendFloats(step * blocks)
  try {
    const { buffer, byteOffset, byteLength } = levels.values
    const bytes = new Uint8Array(buffer, byteOffset, byteLength)
    for await (const chunk of readInChunks(weight)) {
      const count = (chunk.values.length / width) * blocks
      const values = bytes.subarray(0, count * blockSize)
      const scales = scaled.values.subarray(0, count)
      if (!quantizeRows(chunk.values, { width, blockSize }, values, scales)) {
        throw new RangeError('A weight is not a finite number')
      }
      yield { start: chunk.start, values, scales }
    }
  } finally {
    levels.giveBack()
    scaled.giveBack()
  }
}
