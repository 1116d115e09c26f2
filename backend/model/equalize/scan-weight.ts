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
    for (let from = 0, row = start; from < values.length; from += width, row++) {
      const output = outputOf(values, from, perColumn)
      outputs[row] = output
      if (output > 0) raise(columns, values, from, 1 / output)
    }
  }
  return { outputs, columns: folded(columns, inputs.length) }
}

/** Two sums, so that one addition need not wait for the last. */
function outputOf(values: Float32Array, from: number, inputs: Float64Array): number {
  let even = 0
  let odd = 0
  const pairs = inputs.length - (inputs.length % 2)
  for (let i = 0; i < pairs; i += 2) {
    const one = values[from + i]! * inputs[i]!
    const two = values[from + i + 1]! * inputs[i + 1]!
    even += one * one
    odd += two * two
  }
  if (pairs < inputs.length) even += (values[from + pairs]! * inputs[pairs]!) ** 2
  return Math.sqrt(even + odd)
}

/** columns = max(columns, |values| factor) */
function raise(columns: Float64Array, values: Float32Array, from: number, factor: number): void {
  for (let i = 0; i < columns.length; i++) {
    const magnitude = Math.abs(values[from + i]!) * factor
    if (magnitude > columns[i]!) columns[i] = magnitude
  }
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
