import type { Checkpoint } from '../../../checkpoint/checkpoint.ts'
import type { GraphBuilder, Value } from '../../../graph/graph-builder.ts'
import { linear, rmsNorm, type WeightForm } from '../../../graph/layers.ts'
import { rotaryEmbedding } from '../../../graph/operators/attention.ts'
import {
  concat,
  reshape,
  split,
  squeeze,
  transpose,
  unsqueeze,
} from '../../../graph/operators/shapes.ts'
import { stackRows } from '../../../graph/weight-source.ts'
import type { TextConfig } from '../../config/model-config.ts'
import { absorbedAttention } from './absorbed-attention.ts'
import { expandedAttention } from './expanded-attention.ts'
import type { GroupTokens, LaneBatch } from './lanes.ts'
import type { Rope } from './rope.ts'

/** The reference builds this one norm without passing `rms_norm_eps`, so its class default applies. */
export const latentNormEpsilon = 1e-6

export interface AttentionInputs {
  /** [N, hidden], normed */
  readonly x: Value
  readonly rope: Rope
  readonly lanes: LaneBatch
  readonly form: WeightForm
}

/**
 * Multi-head latent attention (DeepSeek-V2, arXiv 2405.04434, section 2.1). For each token the cache holds the normed
 * latent c and the rotated key shared by all heads. Keys and values are either never materialised (absorbed lanes:
 * the queries are projected into latent space instead) or recomputed from the cache in every run (expanded lane).
 *
 *     x -> q | c_raw | k_rope;  score = (q_nope . k_nope(c) + q_rope . k_rope) / sqrt(nope + rope)
 *     out = W_o concat_heads(softmax(score) v(c))
 *
 * @returns `present` [N, latent + rope]: cache rows of the new tokens
 */
export function latentAttention(
  g: GraphBuilder,
  config: TextConfig,
  checkpoint: Checkpoint,
  layer: number,
  { x, rope, lanes, form }: AttentionInputs,
): { output: Value; present: Value } {
  const { num_attention_heads: heads, kv_lora_rank: latent, v_head_dim: value } = config
  const { qk_nope_head_dim: nope, qk_rope_head_dim: rotated } = config
  const prefix = `language_model.model.layers.${layer}.self_attn`
  const weight = (name: string) => checkpoint.tensor(`${prefix}.${name}.weight`)

  const projection = stackRows([weight('q_proj'), weight('kv_a_proj_with_mqa')])
  const projected = linear(g, 'q_kv_a_proj', x, projection, form)
  const parts = split(g, projected, [heads * (nope + rotated), latent, rotated], -1)
  const [q, rawLatent, rawKey] = parts as [Value, Value, Value]

  const norm = weight('kv_a_layernorm')
  const c = rmsNorm(g, 'kv_a_layernorm', rawLatent, norm, latentNormEpsilon)
  g.noteNormed(`${prefix}.kv_a_layernorm`, c, latent)
  const key = rotaryEmbedding(g, unsqueeze(g, rawKey, 0), rope.positions, rope.table, 1)
  const present = concat(g, [c, squeeze(g, key, 0)], -1)

  const byHead = transpose(g, reshape(g, q, [-1, heads, nope + rotated]), [1, 0, 2])
  const [qNope, rawQuery] = split(g, byHead, [nope, rotated], -1) as [Value, Value]
  const qRope = rotaryEmbedding(g, rawQuery, rope.headPositions, rope.table, 1)
  const query = splitGroups(g, lanes, { qNope, qRope, present })
  const kvB = weight('kv_b_proj')
  const contexts = [
    absorbedAttention(g, config, kvB, { layer, lanes, form, ...query.absorbed }),
    expandedAttention(g, config, kvB, { layer, lane: lanes.expanded, form, ...query.expanded }),
  ]
  const byToken = transpose(g, concat(g, contexts, 1), [1, 0, 2])
  const merged = reshape(g, byToken, [-1, heads * value])
  g.note(`${prefix}.values`, merged, heads * value)
  return { output: linear(g, 'o_proj', merged, weight('o_proj'), form), present }
}

function splitGroups(
  g: GraphBuilder,
  { groups }: LaneBatch,
  { qNope, qRope, present }: GroupTokens,
): { absorbed: GroupTokens; expanded: GroupTokens } {
  const divide = (x: Value, axis: number) => split(g, x, { value: groups, count: 2 }, axis)
  const [nope, rope, rows] = [divide(qNope, 1), divide(qRope, 1), divide(present, 0)]
  const group = (index: number) => ({
    qNope: nope[index]!,
    qRope: rope[index]!,
    present: rows[index]!,
  })
  return { absorbed: group(0), expanded: group(1) }
}
