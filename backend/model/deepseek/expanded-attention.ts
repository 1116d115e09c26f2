import type { GraphBuilder, Value } from '../../graph/graph-builder.ts'
import { linear, type WeightForm } from '../../graph/layers.ts'
import {
  add,
  concat,
  expand,
  fusedMatMul,
  matMul,
  reshape,
  softmax,
  split,
  transpose,
} from '../../graph/operators.ts'
import type { WeightSource } from '../../graph/weight-source.ts'
import type { TextConfig } from '../model-config.ts'
import { decoderNames } from './decoder-names.ts'
import { totalLength, type Lane } from './lanes.ts'
import type { GroupTokens } from './latent-attention.ts'

interface ExpandedInputs extends GroupTokens {
  readonly layer: number
  readonly lane: Lane
  readonly form: WeightForm
}

/**
 * Attention of one long chunk with keys and values expanded from the cache by kv_b: 3.4 times fewer operations per
 * pair of tokens than in latent space, for one product over all T + S rows.
 *
 *     k_nope | v = c W_kv_b,  context = softmax((q_nope . k_nope + q_rope . k_rope) / sqrt(nope + rope)) v
 *
 * @returns [heads, S, value]
 */
export function expandedAttention(
  g: GraphBuilder,
  config: TextConfig,
  kvB: WeightSource,
  { layer, lane, form, qNope, qRope, present }: ExpandedInputs,
): Value {
  const { num_attention_heads: heads, kv_lora_rank: latent, v_head_dim: value } = config
  const { qk_nope_head_dim: nope, qk_rope_head_dim: rope } = config
  return g.scope(lane.name, () => {
    const past = g.input(decoderNames.expandedPast(layer), 'float32', ['past', latent + rope])
    const [c, kRope] = split(g, concat(g, [past, present], 0), [latent, rope], -1)
    const kv = reshape(g, linear(g, 'kv_b_proj', c!, kvB, form), [-1, heads, nope + value])
    const [kNope, v] = split(g, transpose(g, kv, [1, 0, 2]), [nope, value], -1)
    const everyHead = concat(g, [g.int64s([heads]), totalLength(g, lane), g.int64s([rope])], 0)
    const key = concat(g, [kNope!, expand(g, kRope!, everyHead)], -1)
    const query = concat(g, [qNope, qRope], -1)
    const alpha = (nope + rope) ** -0.5
    const scores = add(g, fusedMatMul(g, query, key, { transB: true, alpha }), lane.causalMask)
    return matMul(g, softmax(g, scores), v!)
  })
}
