import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { open } from 'node:fs/promises'
import type { Checkpoint, CheckpointTensor } from '../../checkpoint/checkpoint.ts'
import { floatTypes, toFloat32, type FloatType } from '../../checkpoint/half-float.ts'
import { assertFinite, rowCount } from '../../graph/weight-source.ts'

/** Rows copied at a time: 16 MB of the real model's table. */
const rowsPerCopy = 4096

export function embeddingTensor(checkpoint: Checkpoint): CheckpointTensor {
  return checkpoint.tensor('language_model.model.embed_tokens.weight')
}

/** Copies the embedding table, in the checkpoint's own type, to a file of nothing but rows. */
export async function writeEmbeddings(checkpoint: Checkpoint, path: string): Promise<void> {
  const tensor = embeddingTensor(checkpoint)
  const file = await open(path, 'w')
  try {
    for (let row = 0; row < rowCount(tensor); row += rowsPerCopy) {
      const bytes = await tensor.readRawRows(row, Math.min(rowsPerCopy, rowCount(tensor) - row))
      assertFinite(toFloat32(bytes, tensor.type))
      await file.write(bytes)
    }
    await file.sync()
  } finally {
    await file.close()
  }
}

/**
 * Embedding rows by token id, read from the file as they are needed: the real table has 671 MB, of which a
 * conversation touches little, and the page cache keeps that.
 */
export class EmbeddingTable {
  readonly #file: number
  readonly #type: FloatType
  readonly #hiddenSize: number
  readonly #rows: number

  constructor(path: string, type: FloatType, hiddenSize: number) {
    this.#file = openSync(path, 'r')
    this.#type = type
    this.#hiddenSize = hiddenSize
    this.#rows = fstatSync(this.#file).size / this.#rowBytes
  }

  get #rowBytes(): number {
    return this.#hiddenSize * floatTypes[this.#type]
  }

  /** Writes one row per id into `target` [ids, hiddenSize]. @throws {RangeError} for an id outside the table */
  lookUp(ids: Int32Array, target: Float32Array): void {
    const row = new Uint8Array(this.#rowBytes)
    ids.forEach((id, index) => {
      if (id < 0 || id >= this.#rows) throw new RangeError(`token id ${id} of ${this.#rows}`)
      const read = readSync(this.#file, row, 0, row.length, id * this.#rowBytes)
      if (read !== row.length) throw new RangeError(`the embedding table ends inside row ${id}`)
      target.set(toFloat32(row, this.#type), index * this.#hiddenSize)
    })
  }

  close(): void {
    closeSync(this.#file)
  }
}
