/** Matrices computed from others while they are read, by rows, so that none is held in memory as a whole. */
import { readAll, rowCount, rowSize, type WeightSource } from './weight-source.ts'

/** Every value times a factor. */
export function scaled(source: WeightSource, factor: number): WeightSource {
  return {
    dims: source.dims,
    async readRows(start, count) {
      const values = await source.readRows(start, count)
      for (let i = 0; i < values.length; i++) values[i]! *= factor
      return values
    },
  }
}

/** A matrix of zeros. */
export function zeros(rows: number, columns: number): WeightSource {
  return {
    dims: [rows, columns],
    readRows: (_, count) => Promise.resolve(new Float32Array(count * columns)),
  }
}

/** Columns [start, start + count) of a matrix. */
export function sliceColumns(source: WeightSource, start: number, count: number): WeightSource {
  const width = rowSize(source)
  if (start < 0 || start + count > width) {
    throw new RangeError(`columns ${start}..${start + count} of ${width}`)
  }
  return {
    dims: [rowCount(source), count],
    async readRows(from, rows) {
      const values = await source.readRows(from, rows)
      const result = new Float32Array(rows * count)
      for (let row = 0; row < rows; row++) {
        const first = row * width + start
        result.set(values.subarray(first, first + count), row * count)
      }
      return result
    },
  }
}

/** Matrices with equally many rows, one to the right of the other. */
export function sideBySide(sources: readonly WeightSource[]): WeightSource {
  const rows = new Set(sources.map(rowCount))
  const [total] = rows
  if (total === undefined || rows.size !== 1) {
    throw new RangeError('matrices side by side differ in their number of rows')
  }
  const width = sources.reduce((sum, source) => sum + rowSize(source), 0)
  return {
    dims: [total, width],
    async readRows(start, count) {
      const result = new Float32Array(count * width)
      let column = 0
      for (const source of sources) {
        const own = rowSize(source)
        const values = await source.readRows(start, count)
        for (let row = 0; row < count; row++) {
          result.set(values.subarray(row * own, (row + 1) * own), row * width + column)
        }
        column += own
      }
      return result
    },
  }
}

/** a [rows, k] times b [k, columns], which is read whole for every piece. */
export function matrixProduct(a: WeightSource, b: WeightSource): WeightSource {
  const [inner, columns] = [rowCount(b), rowSize(b)]
  if (rowSize(a) !== inner) throw new RangeError(`${rowSize(a)} columns times ${inner} rows`)
  return {
    dims: [rowCount(a), columns],
    async readRows(start, count) {
      const [left, right] = [await a.readRows(start, count), await readAll(b)]
      const result = new Float32Array(count * columns)
      for (let row = 0; row < count; row++) {
        const sums = new Float64Array(columns)
        for (let k = 0; k < inner; k++) {
          const factor = left[row * inner + k]!
          const first = k * columns
          for (let i = 0; i < columns; i++) sums[i]! += factor * right[first + i]!
        }
        result.set(sums, row * columns)
      }
      return result
    },
  }
}
