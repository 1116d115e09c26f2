import type { GraphBuilder, Value } from '../graph-builder.ts'
import { contrib, float, int, single } from './node.ts'

/** Along the last axis. */

export function layerNormalization(
  g: GraphBuilder,
  x: Value,
  scale: Value,
  bias: Value,
  epsilon: number,
): Value {
  return single(g, 'LayerNormalization', [x, scale, bias], {
    attributes: { axis: int(-1), epsilon: float(epsilon) },
  })
}

/** RMSNorm over the last axis. */
export function simplifiedLayerNormalization(
  g: GraphBuilder,
  x: Value,
  scale: Value,
  epsilon: number,
): Value {
  return single(g, 'SimplifiedLayerNormalization', [x, scale], {
    attributes: { axis: int(-1), epsilon: float(epsilon) },
  })
}

/** sum = x + skip, normalized = RMSNorm(sum). */
export function skipSimplifiedLayerNormalization(
  g: GraphBuilder,
  x: Value,
  skip: Value,
  scale: Value,
  epsilon: number,
): { normalized: Value; sum: Value } {
  const outputs = g.node('SkipSimplifiedLayerNormalization', [x, skip, scale], {
    domain: contrib,
    outputs: 4,
    attributes: { epsilon: float(epsilon) },
  })
  return { normalized: outputs[0]!, sum: outputs[3]! }
}
