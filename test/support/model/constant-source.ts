import { rowSize, type WeightSource } from '../../../backend/graph/weight-source.ts'

/** A weight with these values. */
export function constantSource(dims: readonly number[], values: Float32Array): WeightSource {
  const source: WeightSource = {
    dims,
    readRows: (start, count) =>
      Promise.resolve(values.slice(start * rowSize(source), (start + count) * rowSize(source))),
  }
  return source
}
