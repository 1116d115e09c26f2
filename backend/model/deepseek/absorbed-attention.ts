import type { GraphBuilder, Value } from '../../graph/graph-builder.ts'
import { headLinear, type WeightForm } from '../../graph/layers.ts'
import { add, concat, fusedMatMul, matMul, softmax, split } from '../../graph/operators.ts'
import { sliceRows, transposed, type WeightSource } from '../../graph/weight-source.ts'
import type { TextConfig } from '../model-config.ts'
import { decoderNames } from './decoder-names.ts'
import { ifBusy, type Lane, type LaneBatch } from './lanes.ts'
import type { GroupTokens } from './latent-attention.ts'

interface AbsorbedInputs extends GroupTokens {
  readonly layer: number
  readonly lanes: LaneBatch
  readonly form: WeightForm
}

/**
 * Attention in latent space: kv_b's key half is applied to the queries and its value half to the results, so the
 * cache is read as it is (one key of latent + rope numbers for all heads, whose first `latent` are the value).
 *
 *     q_lat = q_nope W_uk,  u = softmax((q_lat . c + q_rope . k_rope) / sqrt(nope + rope)) c,  context = u W_uv
 *
 * @returns [heads, n, value]
 */
export function absorbedAttention(
  g: GraphBuilder,
  config: TextConfig,
  kvB: WeightSource,
  { layer, lanes, form, qNope, qRope, present }: AbsorbedInputs,
): Value {
  const { num_attention_heads: heads, kv_lora_rank: latent, qk_rope_head_dim: rope } = config
  const halves = absorbedHalves(config, kvB)
  const turned = headLinear(g, 'w_uk', qNope, halves.keys, form)
  const query = concat(g, [turned, qRope], -1)
  const perLane = (x: Value, axis: number) =>
    split(g, x, { value: lanes.absorbedCounts, count: lanes.absorbed.length }, axis)
  const presents = perLane(present, 0)
  const mixed = perLane(query, 1).map((laneQuery, index) =>
    g.scope(lanes.absorbed[index]!.name, () => {
      const past = g.input(decoderNames.past(layer, index), 'float32', ['past', latent + rope])
      const tokens = { query: laneQuery, present: presents[index]!, past }
      const lane = lanes.absorbed[index]!
      return ifBusy(g, lane, { heads, width: latent + rope }, () =>
        attendLane(g, config, lane, tokens),
      )
    }),
  )
  const [context] = split(g, concat(g, mixed, 1), [latent, rope], -1)
  return headLinear(g, 'w_uv', context!, halves.values, form)
}

/** Of kv_b [heads * (nope + value), latent] each head's key half turned around [latent, nope], and value half [value, latent]. */
function absorbedHalves(config: TextConfig, kvB: WeightSource) {
  const { num_attention_heads: heads, qk_nope_head_dim: nope, v_head_dim: value } = config
  const firstRows = Array.from({ length: heads }, (_, head) => head * (nope + value))
  return {
    keys: firstRows.map((row) => transposed(sliceRows(kvB, row, nope))),
    values: firstRows.map((row) => sliceRows(kvB, row + nope, value)),
  }
}

/** query [heads, S, width], present [S, width], past [T, width] -> [heads, S, width] */
function attendLane(
  g: GraphBuilder,
  config: TextConfig,
  lane: Lane,
  { query, present, past }: { query: Value; present: Value; past: Value },
): Value {
  const alpha = (config.qk_nope_head_dim + config.qk_rope_head_dim) ** -0.5
  const pastScores = fusedMatMul(g, query, past, { transB: true, alpha })
  const newScores = add(g, fusedMatMul(g, query, present, { transB: true, alpha }), lane.causalMask)
  const weights = softmax(g, concat(g, [pastScores, newScores], -1))
  const [pastWeights, newWeights] = split(g, weights, { value: lane.lengths, count: 2 }, -1)
  return add(g, matMul(g, pastWeights!, past), matMul(g, newWeights!, present))
}
