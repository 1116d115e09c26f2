import type { GraphBuilder, Value } from '../graph-builder.ts'
import { int, ints, single } from './node.ts'

/** The same numbers in another shape or order, or more or fewer of them. */

/** x in the shape held by `shape`. */
export function reshapeTo(g: GraphBuilder, x: Value, shape: Value): Value {
  return single(g, 'Reshape', [x, shape])
}

/** The first numbers along some axes. @param lengths by axis */
export function leading(g: GraphBuilder, x: Value, lengths: ReadonlyMap<number, number>): Value {
  const [axes, ends] = [[...lengths.keys()], [...lengths.values()]]
  const starts = g.int64s(ends.map(() => 0))
  return single(g, 'Slice', [x, starts, g.int64s(ends), g.int64s(axes)])
}

export function reshape(g: GraphBuilder, x: Value, dims: readonly number[]): Value {
  return single(g, 'Reshape', [x, g.int64s(dims)])
}

export function transpose(g: GraphBuilder, x: Value, permutation: readonly number[]): Value {
  return single(g, 'Transpose', [x], { attributes: { perm: ints(permutation) } })
}

export function concat(g: GraphBuilder, parts: readonly Value[], axis: number): Value {
  return single(g, 'Concat', parts, { attributes: { axis: int(axis) } })
}

/**
 * Splits along `axis` into pieces whose lengths are known at build time (numbers) or at run time (a value and their
 * count).
 */
export function split(
  g: GraphBuilder,
  x: Value,
  lengths: readonly number[] | { readonly value: Value; readonly count: number },
  axis: number,
): Value[] {
  const fixed = 'value' in lengths ? undefined : lengths
  const value = 'value' in lengths ? lengths.value : g.int64s(lengths)
  const outputs = 'value' in lengths ? lengths.count : fixed!.length
  return g.node('Split', [x, value], { outputs, attributes: { axis: int(axis) } })
}

/** x with `value` after the end of each axis. @param counts how often, by axis */
export function padEnd(g: GraphBuilder, x: Value, counts: readonly number[], value: number): Value {
  const pads = g.int64s([...counts.map(() => 0), ...counts])
  return single(g, 'Pad', [x, pads, g.float32s([value], [])])
}

export function shapeOf(g: GraphBuilder, x: Value): Value {
  return single(g, 'Shape', [x])
}

export function unsqueeze(g: GraphBuilder, x: Value, axis: number): Value {
  return single(g, 'Unsqueeze', [x, g.int64s([axis])])
}

export function squeeze(g: GraphBuilder, x: Value, axis: number): Value {
  return single(g, 'Squeeze', [x, g.int64s([axis])])
}

/** `value` repeated to the shape held by `shape`. */
export function expand(g: GraphBuilder, value: Value, shape: Value): Value {
  return single(g, 'Expand', [value, shape])
}

/** Keeps the values strictly above the diagonal of a matrix; the rest become zero. */
export function aboveDiagonal(g: GraphBuilder, x: Value): Value {
  return single(g, 'Trilu', [x, g.int64s([1], [])], { attributes: { upper: int(1) } })
}
