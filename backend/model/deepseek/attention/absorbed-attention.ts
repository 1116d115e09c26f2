import type { GraphBuilder, Value, ValueType } from '../../../graph/graph-builder.ts'
import { headLinear, type WeightForm } from '../../../graph/layers.ts'
import { add } from '../../../graph/operators/arithmetic.ts'
import { ifElse } from '../../../graph/operators/if-else.ts'
import { fusedMatMul, matMul } from '../../../graph/operators/matrix-products.ts'
import { softmax } from '../../../graph/operators/reductions.ts'
import { concat, split } from '../../../graph/operators/shapes.ts'
import { sliceRows, transposed, type WeightSource } from '../../../graph/weight-source.ts'
import type { TextConfig } from '../../config/model-config.ts'
import { decoderNames } from '../decoder-names.ts'
import { ifBusy, type GroupTokens, type Lane, type LaneBatch } from './lanes.ts'

interface AbsorbedInputs extends GroupTokens {
  readonly layer: number
  readonly lanes: LaneBatch
  readonly form: WeightForm
}

/**
 * Attention in latent space: kv_b's key half is applied to the queries and its value half to the results, so that the
 * cache is used directly (one key of latent + rope numbers for all heads, whose first `latent` numbers are the
 * value).
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
  const { kv_lora_rank: latent, qk_rope_head_dim: rope } = config
  const halves = absorbedHalves(config, kvB)
  const turned = headLinear(g, 'w_uk', qNope, halves.keys, form)
  const query = concat(g, [turned, qRope], -1)
  const pasts = lanes.absorbed.map((_, lane) =>
    g.input(decoderNames.past(layer, lane), 'float32', ['past', latent + rope]),
  )
  const mixed = g.scope('lanes', () => attendLanes(g, config, lanes, { query, present, pasts }))
  const [context] = split(g, mixed, [latent, rope], -1)
  return headLinear(g, 'w_uv', context!, halves.values, form)
}

/**
 * Each head's part of kv_b [heads * (nope + value), latent]: the key half transposed to [latent, nope], and the value
 * half [value, latent].
 */
function absorbedHalves(config: TextConfig, kvB: WeightSource) {
  const { num_attention_heads: heads, qk_nope_head_dim: nope, v_head_dim: value } = config
  const firstRows = Array.from({ length: heads }, (_, head) => head * (nope + value))
  return {
    keys: firstRows.map((row) => transposed(sliceRows(kvB, row, nope))),
    values: firstRows.map((row) => sliceRows(kvB, row + nope, value)),
  }
}

interface LaneTokens {
  /** [heads, n, latent + rope] */
  readonly query: Value
  /** [n, latent + rope] */
  readonly present: Value
  /** [T, latent + rope] for each lane */
  readonly pasts: readonly Value[]
}

/**
 * Attention of all lanes. With a single sequence, its lane has all rows, so they need not be split and idle lanes
 * need not be skipped. With no sequence there are no rows; the products of this path can handle that, unlike those
 * into which ONNX Runtime fuses a transpose.
 * @returns [heads, n, latent + rope]
 */
function attendLanes(
  g: GraphBuilder,
  config: TextConfig,
  lanes: LaneBatch,
  tokens: LaneTokens,
): Value {
  const { num_attention_heads: heads, kv_lora_rank: latent, qk_rope_head_dim: rope } = config
  const [first, second] = lanes.absorbed
  const single = () => attendLane(g, config, first!, { ...tokens, past: tokens.pasts[0]! })
  if (second === undefined) return single()
  const mixed: ValueType = {
    type: 'float32',
    dims: [heads, 'absorbed tokens', latent + rope],
  }
  const [result] = ifElse(g, second.busy, [mixed], {
    ifTrue: () => [concat(g, severalLanes(g, config, lanes, tokens), 1)],
    ifFalse: () => [single()],
  })
  return result!
}

/** Each lane attends with its part of the rows; the first two are known to be busy. */
function severalLanes(
  g: GraphBuilder,
  config: TextConfig,
  { absorbed, absorbedCounts }: LaneBatch,
  { query, present, pasts }: LaneTokens,
): Value[] {
  const { num_attention_heads: heads, kv_lora_rank: latent, qk_rope_head_dim: rope } = config
  const lengths = { value: absorbedCounts, count: absorbed.length }
  const [queries, presents] = [split(g, query, lengths, 1), split(g, present, lengths, 0)]
  return absorbed.map((lane, index) =>
    g.scope(lane.name, () => {
      const tokens = { query: queries[index]!, present: presents[index]!, past: pasts[index]! }
      const attend = () => attendLane(g, config, lane, tokens)
      return index < 2 ? attend() : ifBusy(g, lane, { heads, width: latent + rope }, attend)
    }),
  )
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
