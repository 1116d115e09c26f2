import type { GraphBuilder, Value } from '../graph-builder.ts'
import { int, single, text } from './node.ts'

/** Numbers by their index or rank. */

/** x with rows of `updates` [n, width] in place of those at `rows` [n, 1], which must be distinct. */
export function scatterRows(g: GraphBuilder, x: Value, rows: Value, updates: Value): Value {
  return single(g, 'ScatterND', [x, rows, updates])
}

export function gather(g: GraphBuilder, x: Value, indices: Value, axis: number): Value {
  return single(g, 'Gather', [x, indices], { attributes: { axis: int(axis) } })
}

export function gatherElements(g: GraphBuilder, x: Value, indices: Value, axis: number): Value {
  return single(g, 'GatherElements', [x, indices], { attributes: { axis: int(axis) } })
}

/** @param reduction whether an update replaces the value at its index or is added to it */
export function scatterElements(
  g: GraphBuilder,
  x: Value,
  indices: Value,
  updates: Value,
  axis: number,
  reduction: 'none' | 'add' = 'none',
): Value {
  const attributes = { axis: int(axis), reduction: text(reduction) }
  return single(g, 'ScatterElements', [x, indices, updates], { attributes })
}

/** The indices that sort x [n] in ascending order; equal values keep their order. @param n int64 [1] */
export function ascendingOrder(g: GraphBuilder, x: Value, n: Value): Value {
  const attributes = { axis: int(0), largest: int(0), sorted: int(1) }
  return g.node('TopK', [x, n], { outputs: 2, attributes })[1]!
}

/** The k largest along the last axis and their indices, in falling order. */
export function topK(g: GraphBuilder, x: Value, k: number): { values: Value; indices: Value } {
  const attributes = { axis: int(-1), largest: int(1), sorted: int(1) }
  const [values, indices] = g.node('TopK', [x, g.int64s([k])], { outputs: 2, attributes })
  return { values: values!, indices: indices! }
}

/** Indices of the k largest along the last axis; of equal values, the lower index comes first. */
export function topKIndices(g: GraphBuilder, x: Value, k: number): Value {
  const attributes = { axis: int(-1), largest: int(1), sorted: int(0) }
  return g.node('TopK', [x, g.int64s([k])], { outputs: 2, attributes })[1]!
}

/** The same, those of the largest values first. */
export function topKIndicesSorted(g: GraphBuilder, x: Value, k: number): Value {
  return topK(g, x, k).indices
}
