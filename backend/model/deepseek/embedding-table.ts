import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { CheckpointError } from '../../checkpoint/checkpoint-error.ts'
import type { Checkpoint, CheckpointTensor } from '../../checkpoint/checkpoint.ts'
import { floatTypes, toFloat32, type FloatType } from '../../checkpoint/half-float.ts'
import { checksumOf } from '../../graph/checksum.ts'
import { assertFinite, rowCount, rowSize } from '../../graph/weight-source.ts'
import { writeAll, type FilePart } from '../../graph/weights-file.ts'

/** Rows copied at a time: 1 MB of the real model's table. */
const rowsPerCopy = 256

export function embeddingTensor(checkpoint: Checkpoint): CheckpointTensor {
  return checkpoint.tensor('language_model.model.embed_tokens.weight')
}

/** Size in bytes of the embedding table file. */
export function embeddingBytes(tensor: CheckpointTensor): number {
  return rowCount(tensor) * rowSize(tensor) * floatTypes[tensor.type]
}

/** Copies the embedding table, in the checkpoint's own type, to a file that contains only its rows. */
export async function writeEmbeddings(
  tensor: CheckpointTensor,
  path: string,
  signal: AbortSignal,
): Promise<FilePart[]> {
  const file = await open(path, 'w')
  try {
    const parts: FilePart[] = []
    let offset = 0
    const memory = new Float32Array(rowsPerCopy * rowSize(tensor))
    for (let row = 0; row < rowCount(tensor); row += rowsPerCopy) {
      signal.throwIfAborted()
      const bytes = await tensor.readRawRows(row, Math.min(rowsPerCopy, rowCount(tensor) - row))
      const values = bytes.length / floatTypes[tensor.type]
      assertFinite(toFloat32(bytes, tensor.type, memory.subarray(0, values)))
      await writeAll(file, offset, bytes)
      parts.push({ offset, bytes: bytes.length, checksum: checksumOf(bytes) })
      offset += bytes.length
    }
    return parts
  } finally {
    await file.close()
  }
}

interface TableShape {
  readonly type: FloatType
  readonly rows: number
  readonly hiddenSize: number
}

/**
 * Embedding rows by token id, read from the file on demand: the real table has 671 MB, of which a conversation
 * touches little, and the page cache keeps that part.
 */
export class EmbeddingTable {
  readonly #file: number
  readonly #shape: TableShape

  /** @throws {CheckpointError} when the file does not hold exactly the rows of the vocabulary */
  constructor(path: string, shape: TableShape) {
    this.#shape = shape
    this.#file = openSync(path, 'r')
    const { size } = fstatSync(this.#file)
    if (size === shape.rows * this.#rowBytes) return
    closeSync(this.#file)
    throw new CheckpointError(
      `${path} has ${size} bytes, ${shape.rows} rows of the vocabulary take ${shape.rows * this.#rowBytes}`,
    )
  }

  get #rowBytes(): number {
    return this.#shape.hiddenSize * floatTypes[this.#shape.type]
  }

  /** Writes one row per id into `target` [ids, hiddenSize]. @throws {RangeError} for an id outside the table */
  lookUp(ids: Int32Array, target: Float32Array): void {
    const { rows, type, hiddenSize } = this.#shape
    const row = new Uint8Array(this.#rowBytes)
    ids.forEach((id, index) => {
      if (id < 0 || id >= rows) throw new RangeError(`Token id ${id} of ${rows}`)
      const read = readSync(this.#file, row, 0, row.length, id * this.#rowBytes)
      if (read !== row.length) throw new RangeError(`The embedding table ends inside row ${id}`)
      target.set(toFloat32(row, type), index * hiddenSize)
    })
  }

  close(): void {
    closeSync(this.#file)
  }
}
