import { areFinite, lendFloats, regionBytes } from './kernels/kernels.ts'

/**
 * A float matrix stored somewhere (a checkpoint file, a generator) and read by rows, so that a graph can be built and
 * its weights written without holding them in memory. A vector is a matrix with one column: dims [n] reads as n rows
 * of one value.
 */
export interface WeightSource {
  /** [rows, ...]: row-major, `rowSize` values per row. */
  readonly dims: readonly number[]
  /**
   * Values of rows [start, start + count). The caller owns the array.
   * @param into memory of this size, which a source may fill instead of new memory
   */
  readRows(start: number, count: number, into?: Float32Array): Promise<Float32Array>
}

export function rowSize(source: WeightSource): number {
  return source.dims.slice(1).reduce((product, size) => product * size, 1)
}

export function rowCount(source: WeightSource): number {
  return source.dims[0] ?? 1
}

/** Float values per read while weights are read or written: what can be lent, which stays in a core's cache. */
const valuesPerRead = regionBytes / 4

interface Chunk {
  /** First row. */
  readonly start: number
  readonly values: Float32Array
}

/** Rows of all chunks but the last, which may have fewer. */
export function chunkRows(source: WeightSource): number {
  return Math.min(rowCount(source), Math.max(1, Math.floor(valuesPerRead / rowSize(source))))
}

/** Rows from first to last, a bounded number at a time. The values of a chunk are overwritten by those of the next. */
export async function* readInChunks(source: WeightSource): AsyncGenerator<Chunk, void> {
  const rows = rowCount(source)
  const step = chunkRows(source)
  const memory = lendFloats(step * rowSize(source))
  try {
    for (let start = 0; start < rows; start += step) {
      const count = Math.min(step, rows - start)
      const into = memory.values.subarray(0, count * rowSize(source))
      yield { start, values: await source.readRows(start, count, into) }
    }
  } finally {
    memory.giveBack()
  }
}

/**
 * Rows from first to last, a bounded number at a time, to be written.
 * @throws {RangeError} when a weight is NaN or infinite, since it would spread through all activations
 */
export async function* readFinite(source: WeightSource): AsyncGenerator<Chunk, void> {
  for await (const chunk of readInChunks(source)) {
    assertFinite(chunk.values)
    yield chunk
  }
}

/** The same memory, viewed as bytes. */
export function bytesOf(values: Float32Array | Uint16Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
}

/** @throws {RangeError} when a weight is NaN or infinite */
export function assertFinite(values: Float32Array): void {
  if (!areFinite(values)) throw new RangeError('A weight is not a finite number')
}

/** All values at once; for vectors and small tables. */
export function readAll(source: WeightSource): Promise<Float32Array> {
  return source.readRows(0, rowCount(source))
}

/** Rows [start, start + count) of a matrix. */
export function sliceRows(source: WeightSource, start: number, count: number): WeightSource {
  if (start < 0 || start + count > rowCount(source)) {
    throw new RangeError(`Rows ${start}..${start + count} of ${rowCount(source)}`)
  }
  return {
    dims: [count, ...source.dims.slice(1)],
    readRows: (from, rows, into) => source.readRows(start + from, rows, into),
  }
}

/** Matrices of equal width, one below the other. */
export function stackRows(sources: readonly WeightSource[]): WeightSource {
  const widths = new Set(sources.map(rowSize))
  const [first] = sources
  if (first === undefined || widths.size !== 1) throw new RangeError('Stacked rows differ in width')
  const total = sources.reduce((sum, source) => sum + rowCount(source), 0)
  return {
    dims: [total, ...first.dims.slice(1)],
    async readRows(start, count, into) {
      const width = rowSize(first)
      const result = into ?? new Float32Array(count * width)
      let base = 0
      for (const source of sources) {
        const from = Math.max(start, base)
        const to = Math.min(start + count, base + rowCount(source))
        if (from < to) {
          const own = result.subarray((from - start) * width, (to - start) * width)
          const values = await source.readRows(from - base, to - from, own)
          if (values !== own) own.set(values)
        }
        base += rowCount(source)
      }
      return result
    },
  }
}

/** The same values in another shape; the number of rows may change. */
export function reshaped(source: WeightSource, dims: readonly number[]): WeightSource {
  const size = (shape: readonly number[]) => shape.reduce((product, n) => product * n, 1)
  if (size(dims) !== size(source.dims)) {
    throw new RangeError(`Cannot reshape [${source.dims.join()}] to [${dims.join()}]`)
  }
  const result = { dims } as WeightSource
  const oldWidth = rowSize(source)
  return {
    dims,
    async readRows(start, count) {
      const width = rowSize(result)
      const firstRow = Math.floor((start * width) / oldWidth)
      const endRow = Math.ceil(((start + count) * width) / oldWidth)
      const values = await source.readRows(firstRow, endRow - firstRow)
      const skip = start * width - firstRow * oldWidth
      return values.subarray(skip, skip + count * width)
    },
  }
}

/**
 * A matrix [rows, columns] as [columns, rows]. Reads the whole source, so use it only for matrices that easily fit in
 * memory.
 */
export function transposed(source: WeightSource): WeightSource {
  const rows = rowCount(source)
  const columns = rowSize(source)
  return {
    dims: [columns, rows],
    async readRows(start, count) {
      const values = await readAll(source)
      const result = new Float32Array(count * rows)
      for (let column = 0; column < count; column++) {
        for (let row = 0; row < rows; row++) {
          result[column * rows + row] = values[row * columns + start + column]!
        }
      }
      return result
    },
  }
}
