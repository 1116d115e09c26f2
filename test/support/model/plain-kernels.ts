/**
 * The loops of `backend/graph/kernels` in plain TypeScript, written to be read: the compiled ones must give the same bits. Every
 * step is in double precision unless it is rounded with `Math.fround`.
 */

export function widenBfloat16(halves: Uint16Array): Float32Array {
  const words = Uint32Array.from(halves, (half) => half << 16)
  return new Float32Array(words.buffer)
}

/** scale = max |w| / 127 over each block, 1 for zeros; q = round(w / scale) + 128, 128 beyond the end of a row. */
export function quantizeRows(
  weights: Float32Array,
  width: number,
  blockSize: number,
): { readonly values: Uint8Array; readonly scales: Float32Array } {
  const blocks = Math.ceil(width / blockSize)
  const rows = weights.length / width
  const values = new Uint8Array(rows * blocks * blockSize).fill(128)
  const scales = new Float32Array(rows * blocks)
  for (let row = 0; row < rows; row++) {
    for (let block = 0; block < blocks; block++) {
      const end = Math.min(width, (block + 1) * blockSize)
      const some = weights.subarray(row * width + block * blockSize, row * width + end)
      const largest = some.reduce((most, weight) => Math.max(most, Math.abs(weight)), 0)
      const scale = Math.fround(largest / 127) || 1
      const inverse = 1 / scale
      const index = row * blocks + block
      scales[index] = scale
      some.forEach((weight, i) => {
        values[index * blockSize + i] = Math.trunc(weight * inverse + 128.5)
      })
    }
  }
  return { values, scales }
}

/** Even and odd columns are summed apart. */
export function scanRows(
  weights: Float32Array,
  inputs: Float64Array,
): { readonly outputs: Float64Array; readonly columns: Float64Array } {
  const width = inputs.length
  const columns = new Float64Array(width)
  const outputs = Float64Array.from({ length: weights.length / width }, (_, row) => {
    const sums: [number, number] = [0, 0]
    const values = weights.subarray(row * width, (row + 1) * width)
    values.forEach((weight, i) => {
      const product = weight * inputs[i]!
      sums[i % 2]! += product * product
    })
    const output = Math.sqrt(sums[0] + sums[1])
    if (output > 0) {
      const factor = 1 / output
      values.forEach((weight, i) => {
        columns[i] = Math.max(columns[i]!, Math.abs(weight) * factor)
      })
    }
    return output
  })
  return { outputs, columns }
}
