import type { Checkpoint } from '../../../checkpoint/checkpoint.ts'
import type { GraphBuilder, Value } from '../../../graph/graph-builder.ts'
import { floatWeight, linear } from '../../../graph/layers.ts'
import { add, sigmoid } from '../../../graph/operators/arithmetic.ts'
import { shareOfSum } from '../../../graph/operators/reductions.ts'
import { gatherElements, topKIndices } from '../../../graph/operators/selection.ts'
import type { TextConfig } from '../../config/model-config.ts'

export interface Routing {
  /** int64 [N, expertsPerToken] */
  readonly indices: Value
  /** float32 [N, expertsPerToken]: weight of each chosen expert, summing to 1 */
  readonly shares: Value
}

/**
 * Picks experts per token (DeepSeek-V3, arXiv 2412.19437, section 2.1.2): the correction bias affects only the
 * choice, not the weights. Always in float32, because a flipped choice is a jump, not a rounding error.
 */
export function router(
  g: GraphBuilder,
  config: TextConfig,
  checkpoint: Checkpoint,
  prefix: string,
  x: Value,
): Routing {
  const gate = checkpoint.tensor(`${prefix}.gate.weight`)
  const scores = sigmoid(g, linear(g, 'gate', x, gate, { kind: 'f32' }))
  const biasSource = checkpoint.tensor(`${prefix}.gate.e_score_correction_bias`)
  const bias = floatWeight(g, 'e_score_correction_bias', biasSource)
  const indices = topKIndices(g, add(g, scores, bias), config.num_experts_per_tok)
  return { indices, shares: shareOfSum(g, gatherElements(g, scores, indices, 1)) }
}
