import { Tensor, type InferenceSession } from 'onnxruntime-node'
import type { OpenGraph } from '../sessions.ts'

/** Rows per run of a product: bounds the memory of intermediate results. */
const rowsPerRun = 512

/** Rows `indices` of a matrix [rows, width], which may be any. */
function gatherRows(matrix: Float32Array, width: number, indices: readonly number[]): Float32Array {
  const rows = new Float32Array(indices.length * width)
  indices.forEach((row, i) => rows.set(matrix.subarray(row * width, (row + 1) * width), i * width))
  return rows
}

/** Numbers from `start` on. */
export function range(start: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => start + i)
}

/**
 * Runs a graph that works row by row over some rows, a bounded number at a time.
 * @param use receives the outputs for rows `indices`
 */
export async function runByRows(
  session: OpenGraph,
  input: string,
  { matrix, width, indices }: RowsOf,
  use: (outputs: InferenceSession.OnnxValueMapType, indices: readonly number[]) => void,
): Promise<void> {
  for (let from = 0; from < indices.length; from += rowsPerRun) {
    const some = indices.slice(from, from + rowsPerRun)
    const rows = gatherRows(matrix, width, some)
    use(await session.run({ [input]: floatTensor(rows, [some.length, width]) }), some)
  }
}

export interface RowsOf {
  readonly matrix: Float32Array
  readonly width: number
  readonly indices: readonly number[]
}

export function floatTensor(values: Float32Array, dims: readonly number[]): Tensor {
  return new Tensor('float32', values, dims)
}

export function int64Tensor(
  values: readonly number[],
  dims: readonly number[] = [values.length],
): Tensor {
  return new Tensor('int64', BigInt64Array.from(values, BigInt), dims)
}

export function floatsOf(outputs: InferenceSession.OnnxValueMapType, name: string): Float32Array {
  return outputs[name]!.data as Float32Array
}
