import type { GraphBuilder, Value } from '../graph-builder.ts'
import type { Attribute } from '../onnx-proto.ts'

/**
 * What the operators in this folder are made of. Each of them is a function that takes its inputs in the operator's own order and
 * returns its results as values.
 */

/** The domain of ONNX Runtime's own operators. */
export const contrib = 'com.microsoft'

export const int = (value: number): Attribute => ({ kind: 'int', value })
export const float = (value: number): Attribute => ({ kind: 'float', value })
export const text = (value: string): Attribute => ({ kind: 'string', value })
export const ints = (value: readonly number[]): Attribute => ({ kind: 'ints', value })

/** A node with one output. */
export function single(g: GraphBuilder, ...args: Parameters<GraphBuilder['node']>): Value {
  return g.node(...args)[0]!
}
