/** Graphs that only make, copy or read tensors on a device. */
import { GraphBuilder } from '../../graph/graph-builder.ts'
import type { ElementType, GraphSpec } from '../../graph/onnx-proto.ts'
import { cast } from '../../graph/operators/arithmetic.ts'
import { gather } from '../../graph/operators/selection.ts'
import { expand } from '../../graph/operators/shapes.ts'

/** y0 = x0, y1 = x1, ... */
export function copiesGraph(kinds: readonly { type: ElementType; rank: number }[]): GraphSpec {
  const g = new GraphBuilder('copies')
  kinds.forEach(({ type, rank }, i) => {
    const dims = Array.from({ length: rank }, (_, axis) => `d${i}_${axis}`)
    g.output(`y${i}`, g.input(`x${i}`, type, dims), type, dims)
  })
  return g.build().spec
}

/** y = x */
export function copyGraph(type: ElementType, rank: number): GraphSpec {
  const g = new GraphBuilder('upload')
  g.output('y', g.input('x', type, symbolicDims(rank)), type, symbolicDims(rank))
  return g.build().spec
}

/** y = one row of x */
export function rowGraph(): GraphSpec {
  const g = new GraphBuilder('read_row')
  const x = g.input('x', 'float32', ['rows', 'width'])
  g.output('y', gather(g, x, g.input('row', 'int64', [1]), 0), 'float32', [1, 'width'])
  return g.build().spec
}

/** y = zeros of a shape */
export function zerosGraph(type: ElementType, rank: number): GraphSpec {
  const g = new GraphBuilder('zeros')
  const shape = g.input('shape', 'int64', [rank])
  const floats = expand(g, g.float32s([0], []), shape)
  const values = type === 'float32' ? floats : cast(g, floats, type)
  g.output('y', values, type, symbolicDims(rank))
  return g.build().spec
}

function symbolicDims(rank: number): string[] {
  return Array.from({ length: rank }, (_, i) => `d${i}`)
}
