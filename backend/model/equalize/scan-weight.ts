import { scanRows } from '../../graph/kernels/kernels.ts'
import { readInChunks, rowCount, rowSize, type WeightSource } from '../../graph/weight-source.ts'

/** What a product's weights say about its inputs and outputs. */
export interface WeightScan {
  /** Magnitude of each output for independent inputs: sqrt(sum over j of (w_ij x_j)^2). */
  readonly outputs: Float64Array
  /** For each input, its largest weight relative to the output it contributes to: max over i of |w_ij| / output_i. */
  readonly columns: Float64Array
}

/**
 * Reads a weight once, a bounded piece at a time.
 * @param inputs magnitudes; column j takes input j % inputs.length
 */
export async function scanWeight(
  weight: WeightSource,
  inputs: Float64Array,
  signal: AbortSignal,
): Promise<WeightScan> {
  const width = rowSize(weight)
  const outputs = new Float64Array(rowCount(weight))
  const columns = new Float64Array(width)
  const perColumn = Float64Array.from(columns, (_, column) => inputs[column % inputs.length]!)
  for await (const { start, values } of readInChunks(weight)) {
    signal.throwIfAborted()
    const rows = values.length / width
    scanRows(values, perColumn, outputs.subarray(start, start + rows), columns)
  }
  return { outputs, columns: folded(columns, inputs.length) }
}

/** The maximum over every `width`-th value. */
function folded(values: Float64Array, width: number): Float64Array {
  if (values.length === width) return values
  const result = new Float64Array(width)
  values.forEach((value, i) => {
    result[i % width] = Math.max(result[i % width]!, value)
  })
  return result
}
