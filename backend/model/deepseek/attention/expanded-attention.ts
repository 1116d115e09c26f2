import type { GraphBuilder, Value } from '../../../graph/graph-builder.ts'
import { linears, type WeightForm } from '../../../graph/layers.ts'
import { gemm, matMul } from '../../../graph/operators/matrix-products.ts'
import { softmax } from '../../../graph/operators/reductions.ts'
import { concat, split, squeeze, unsqueeze } from '../../../graph/operators/shapes.ts'
import { sliceRows, type WeightSource } from '../../../graph/weight-source.ts'
import type { TextConfig } from '../../config/model-config.ts'
import { decoderNames } from '../decoder-names.ts'
import { ifBusy, type GroupTokens, type Lane } from './lanes.ts'

interface ExpandedInputs extends GroupTokens {
  readonly layer: number
  readonly lane: Lane
  readonly form: WeightForm
}

/**
 * Attention of one long chunk with keys and values expanded from the cache by kv_b: 3.4 times fewer operations per
 * pair of tokens than in latent space, at the cost of two products over all T + S rows.
 *
 *     k_nope | v = c W_kv_b,  context = softmax((q_nope . k_nope + q_rope . k_rope) / sqrt(nope + rope)) v
 *
 * Heads are processed one after the other, so that only one head's keys, values and scores [S, T + S] exist at a
 * time. Expanding processes T + S rows, however few are new, so its weights have the 8-bit form that is fastest for
 * many rows.
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
  const alpha = (nope + rope) ** -0.5
  return g.scope(lane.name, () => {
    const past = g.input(decoderNames.expandedPast(layer), 'float32', ['past', latent + rope])
    return ifBusy(g, lane, { heads, width: value }, () => {
      const [c, kRope] = split(g, concat(g, [past, present], 0), [latent, rope], -1)
      const expand = linears(g, c!, form.kind === 'f32' ? form : { kind: 'q8-rows' })
      const queries = split(g, concat(g, [qNope, qRope], -1), Array<number>(heads).fill(1), 0)
      const contexts = queries.map((query, head) =>
        g.scope(`head.${head}`, () => {
          const first = head * (nope + value)
          const kNope = expand('w_uk', sliceRows(kvB, first, nope))
          const k = concat(g, [kNope, kRope!], -1)
          const scores = gemm(g, squeeze(g, query, 0), k, { alpha, c: lane.causalMask })
          const v = expand('w_uv', sliceRows(kvB, first + nope, value))
          return unsqueeze(g, matMul(g, softmax(g, scores), v), 0)
        }),
      )
      return concat(g, contexts, 0)
    })
  })
}
