import type { Checkpoint } from '../../checkpoint/checkpoint.ts'
import type { GraphBuilder, Value } from '../../graph/graph-builder.ts'
import { linear, rmsNorm, type WeightForm } from '../../graph/layers.ts'
import {
  add,
  concat,
  fusedMatMul,
  matMul,
  reshape,
  rotaryEmbedding,
  softmax,
  split,
  squeeze,
  unsqueeze,
} from '../../graph/operators.ts'
import { sliceRows, stackRows, transposed, type WeightSource } from '../../graph/weight-source.ts'
import type { TextConfig } from '../model-config.ts'
import { decoderNames } from './decoder-names.ts'
import type { Slot, SlotBatch } from './slots.ts'

/** The reference builds this one norm without passing `rms_norm_eps`, so its class default applies. */
const latentNormEpsilon = 1e-6

export interface AttentionInputs {
  /** [N, hidden], normed */
  readonly x: Value
  readonly positions: Value
  readonly rope: { readonly cos: Value; readonly sin: Value }
  readonly batch: SlotBatch
  readonly form: WeightForm
}

/**
 * Multi-head latent attention in its absorbed form (DeepSeek-V2, arXiv 2405.04434, section 2.1): the cache holds, per
 * token, the normed latent c and the shared rotated key; keys and values are never expanded.
 *
 *     x -> q | c_raw | k_rope
 *     per head: q_lat = W_uk^T q_nope,  score = (q_lat . c + q_rope . k_rope) / sqrt(nope + rope)
 *     out = W_o concat(W_uv (softmax(score) c))
 */
export function latentAttention(
  g: GraphBuilder,
  config: TextConfig,
  checkpoint: Checkpoint,
  layer: number,
  inputs: AttentionInputs,
): { output: Value; present: Value } {
  const { num_attention_heads: heads, kv_lora_rank: latent } = config
  const { qk_nope_head_dim: nope, qk_rope_head_dim: rope } = config
  const weight = (name: string) =>
    checkpoint.tensor(`language_model.model.layers.${layer}.self_attn.${name}.weight`)

  const projection = stackRows([weight('q_proj'), weight('kv_a_proj_with_mqa')])
  const projected = linear(g, 'q_kv_a_proj', inputs.x, projection, inputs.form)
  const parts = split(g, projected, [heads * (nope + rope), latent, rope], -1)
  const [q, rawLatent, rawKey] = parts as [Value, Value, Value]
  const rotate = (x: Value, count: number) =>
    squeeze(g, rotaryEmbedding(g, unsqueeze(g, x, 0), inputs.positions, inputs.rope, count), 0)

  const normed = rmsNorm(
    g,
    'kv_a_layernorm',
    rawLatent,
    weight('kv_a_layernorm'),
    latentNormEpsilon,
  )
  const present = concat(g, [normed, rotate(rawKey, 1)], -1)

  const perHead = reshape(g, q, [-1, heads, nope + rope])
  const [qNope, qRope] = split(g, perHead, [nope, rope], -1) as [Value, Value]
  const rotated = reshape(g, rotate(reshape(g, qRope, [-1, heads * rope]), heads), [
    -1,
    heads,
    rope,
  ])
  const absorbed = absorbedHeads(g, config, weight('kv_b_proj'), inputs.form)
  const query = concat(g, [absorbed.intoLatent(qNope), rotated], -1)

  const context = attendSlots(g, config, layer, { query, present, batch: inputs.batch })
  const output = linear(g, 'o_proj', absorbed.outOfLatent(context), weight('o_proj'), inputs.form)
  return { output, present }
}

/** kv_b_proj, head by head: its key half turns queries into latent space, its value half turns contexts back. */
function absorbedHeads(g: GraphBuilder, config: TextConfig, kvB: WeightSource, form: WeightForm) {
  const { num_attention_heads: heads, kv_lora_rank: latent } = config
  const { qk_nope_head_dim: nope, v_head_dim: value } = config
  const apply = (name: string, x: Value, width: number, weightOf: (head: number) => WeightSource) =>
    split(g, x, Array<number>(heads).fill(1), 1).map((part, head) =>
      linear(g, `${name}.${head}`, reshape(g, part, [-1, width]), weightOf(head), form),
    )
  const firstRow = (head: number) => head * (nope + value)
  return {
    /** [N, heads, nope] -> [N, heads, latent] */
    intoLatent(qNope: Value): Value {
      const keys = (head: number) => transposed(sliceRows(kvB, firstRow(head), nope))
      const parts = apply('w_uk', qNope, nope, keys)
      return reshape(g, concat(g, parts, -1), [-1, heads, latent])
    },
    /** [N, heads, latent] -> [N, heads * value] */
    outOfLatent(context: Value): Value {
      const values = (head: number) => sliceRows(kvB, firstRow(head) + nope, value)
      return concat(g, apply('w_uv', context, latent, values), -1)
    },
  }
}

/** Each slot's new tokens attend to its own cache and, causally, to each other. @returns [N, heads, latent] */
function attendSlots(
  g: GraphBuilder,
  config: TextConfig,
  layer: number,
  { query, present, batch }: { query: Value; present: Value; batch: SlotBatch },
): Value {
  const width = config.kv_lora_rank + config.qk_rope_head_dim
  const presents = batch.split(present)
  const contexts = batch.split(query).map((slotQuery, index) =>
    g.scope(`slot.${index}`, () => {
      const past = g.input(decoderNames.past(layer, index), 'float32', ['past', width])
      return attendSlot(g, config, batch.slots[index]!, {
        query: slotQuery,
        present: presents[index]!,
        past,
      })
    }),
  )
  return contexts.length === 1 ? contexts[0]! : concat(g, contexts, 0)
}

/** query [S, heads, width], present [S, width], past [T, width] -> [S, heads, latent] */
function attendSlot(
  g: GraphBuilder,
  config: TextConfig,
  slot: Slot,
  { query, present, past }: { query: Value; present: Value; past: Value },
): Value {
  const { num_attention_heads: heads, kv_lora_rank: latent } = config
  const { qk_nope_head_dim: nope, qk_rope_head_dim: rope } = config
  const alpha = (nope + rope) ** -0.5
  const rows = reshape(g, query, [-1, latent + rope])
  const pastScores = fusedMatMul(g, rows, past, { transB: true, alpha })
  const newScores = add(g, fusedMatMul(g, rows, present, { transB: true, alpha }), slot.causalMask)
  const weights = softmax(g, concat(g, [pastScores, newScores], -1))
  const [pastWeights, newWeights] = split(g, weights, { value: slot.lengths, count: 2 }, -1)
  const mixed = add(g, matMul(g, pastWeights!, past), matMul(g, newWeights!, present))
  const [context] = split(g, mixed, [latent, rope], -1)
  return reshape(g, context!, [-1, heads, latent])
}
