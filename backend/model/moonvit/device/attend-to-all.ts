import type { GraphBuilder, Value } from '../../../graph/graph-builder.ts'
import { mul } from '../../../graph/operators/arithmetic.ts'
import { matMul } from '../../../graph/operators/matrix-products.ts'
import { softmax } from '../../../graph/operators/reductions.ts'
import { reshape, transpose } from '../../../graph/operators/shapes.ts'
import type { VisionConfig } from '../../config/model-config.ts'

interface Attended {
  /** [n, hidden]: queries of the patches of this run */
  readonly q: Value
  /** [N, hidden]: of all patches */
  readonly keys: Value
  readonly values: Value
}

/**
 * softmax(q k^T / sqrt(headDim)) v, in products of its own: the provider's operator for all of it takes a kernel that
 * is off by 0.4 for 32 or more queries on Mesa's software driver, and different kernels on each kind of card.
 * @returns [n, hidden]
 */
export function attendToAll(
  g: GraphBuilder,
  { hidden_size: hidden, num_attention_heads: heads }: VisionConfig,
  { q, keys, values }: Attended,
): Value {
  const dim = hidden / heads
  const byHead = (x: Value, order: readonly number[]) =>
    transpose(g, reshape(g, x, [-1, heads, dim]), order)
  const scaled = mul(g, q, g.float32s([dim ** -0.5], []))
  const scores = matMul(g, byHead(scaled, [1, 0, 2]), byHead(keys, [1, 2, 0]))
  const mixed = matMul(g, softmax(g, scores), byHead(values, [1, 0, 2]))
  return reshape(g, transpose(g, mixed, [1, 0, 2]), [-1, hidden])
}
