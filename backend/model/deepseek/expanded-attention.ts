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
import { sliceRows, stackRows, type WeightSource } from '../../graph/weight-source.ts'
import type { TextConfig } from '../model-config.ts'
import { decoderNames } from './decoder-names.ts'
import { ifBusy, type Lane } from './lanes.ts'
import type { GroupTokens } from './latent-attention.ts'

interface ExpandedInputs extends GroupTokens {
  readonly layer: number
  readonly lane: Lane
  readonly form: WeightForm
}

/**
 * Attention of one long chunk with keys and values expanded from the cache by kv_b: 3.4 times fewer operations per
 * pair of tokens than in latent space, for two products over all T + S rows.
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
  const halves = expandedHalves(config, kvB)
  return g.scope(lane.name, () => {
    const past = g.input(decoderNames.expandedPast(layer), 'float32', ['past', latent + rope])
    const [c, kRope] = split(g, concat(g, [past, present], 0), [latent, rope], -1)
    const keyHalves = linear(g, 'w_uk', c!, halves.keys, form)
    const values = linear(g, 'w_uv', c!, halves.values, form)
    return ifBusy(g, lane, { heads, width: value }, () => {
      const alpha = (nope + rope) ** -0.5
      const k = transpose(g, wholeKeys(g, keyHalves, kRope!, { heads, nope, rope }), [1, 0, 2])
      const v = transpose(g, reshape(g, values, [-1, heads, value]), [1, 0, 2])
      const q = concat(g, [qNope, qRope], -1)
      const scores = add(g, fusedMatMul(g, q, k, { transB: true, alpha }), lane.causalMask)
      return matMul(g, softmax(g, scores), v)
    })
  })
}

/** kv_b's rows go head by head, key half before value half; here all key halves, and all value halves. */
function expandedHalves(config: TextConfig, kvB: WeightSource) {
  const { num_attention_heads: heads } = config
  const { qk_nope_head_dim: nope, v_head_dim: value } = config
  const ofAllHeads = (skip: number, rows: number) =>
    stackRows(
      Array.from({ length: heads }, (_, head) =>
        sliceRows(kvB, head * (nope + value) + skip, rows),
      ),
    )
  return { keys: ofAllHeads(0, nope), values: ofAllHeads(nope, value) }
}

/** Each head's own half of the key, and the rotated half that all share: [T + S, heads, nope + rope]. */
function wholeKeys(
  g: GraphBuilder,
  keyHalves: Value,
  kRope: Value,
  { heads, nope, rope }: { heads: number; nope: number; rope: number },
): Value {
  const shared = reshape(g, kRope, [-1, 1, rope])
  const own = reshape(g, keyHalves, [-1, heads, nope])
  return concat(g, [own, expand(g, shared, g.int64s([1, heads, 1]))], -1)
}
