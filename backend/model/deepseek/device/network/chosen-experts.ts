import type { Checkpoint } from '../../../../checkpoint/checkpoint.ts'
import type { GraphBuilder, Value } from '../../../../graph/graph-builder.ts'
import { floatWeight, linear, quantizedWeight, type BlockForm } from '../../../../graph/layers.ts'
import { add, mul, sigmoid, silu } from '../../../../graph/operators/arithmetic.ts'
import { matMulNBits } from '../../../../graph/operators/matrix-products.ts'
import { shareOfSum } from '../../../../graph/operators/reductions.ts'
import { gather, gatherElements, topKIndicesSorted } from '../../../../graph/operators/selection.ts'
import { concat, reshape, unsqueeze } from '../../../../graph/operators/shapes.ts'
import { blocksPerRow } from '../../../../graph/quantize.ts'
import { rowCount, rowSize, type WeightSource } from '../../../../graph/weight-source.ts'
import type { TextConfig } from '../../../config/model-config.ts'
import { expertCount, expertWeights } from './device-experts.ts'

/** Added to the scores of shared experts, so that they are always chosen: scores and biases are near 1 at most. */
const always = 1000

/** Whether the weights of single experts can be separated: no block that shares a scale may span two experts. */
export function canChooseExperts(config: TextConfig, blockSize: number): boolean {
  return config.moe_intermediate_size % blockSize === 0
}

/**
 * The chosen and the shared experts of a single token: their bytes, gathered side by side, are one MLP. Declares the same
 * weights as `allExperts`.
 * @param x [1, hidden], normed
 */
export function chosenExperts(
  g: GraphBuilder,
  config: TextConfig,
  checkpoint: Checkpoint,
  prefix: string,
  x: Value,
  form: BlockForm,
): Value {
  const { moe_intermediate_size: inner, num_experts_per_tok: perToken } = config
  const count = perToken + config.n_shared_experts
  const { chosen, shares } = g.scope('router', () => choose(g, config, checkpoint, prefix, x))
  const weights = expertWeights(config, checkpoint, prefix)
  const rows = (name: string, weight: WeightSource) =>
    g.scope(name, () => rowsOfExperts(g, x, weight, { config, chosen, count, form }))
  const h = mul(g, silu(g, rows('gate', weights.gate)), rows('up', weights.up))
  const weighted = mul(g, reshape(g, h, [1, count, inner]), unsqueeze(g, shares, 2))
  const flat = reshape(g, weighted, [1, count * inner])
  const choice = { config, chosen, count, form }
  return g.scope('down', () => columnsOfExperts(g, flat, weights.down, choice))
}

/** As `router`, with the shared experts first: indices and shares [1, shared + chosen]. */
function choose(
  g: GraphBuilder,
  config: TextConfig,
  checkpoint: Checkpoint,
  prefix: string,
  x: Value,
): { chosen: Value; shares: Value } {
  const { num_experts_per_tok: perToken, n_shared_experts: shared } = config
  const gate = checkpoint.tensor(`${prefix}.gate.weight`)
  const scores = sigmoid(g, linear(g, 'gate', x, gate, { kind: 'f32' }))
  const biasSource = checkpoint.tensor(`${prefix}.gate.e_score_correction_bias`)
  const biased = add(g, scores, floatWeight(g, 'e_score_correction_bias', biasSource))
  const constant = (values: number[]) => g.float32s(values, [1, values.length])
  const shareds = (value: number) => Array<number>(shared).fill(value)
  const ranks = concat(g, [biased, constant(shareds(always))], 1)
  const chosen = topKIndicesSorted(g, ranks, perToken + shared)
  const own = gatherElements(g, concat(g, [scores, constant(shareds(0))], 1), chosen, 1)
  const ones = constant([...shareds(1), ...Array<number>(perToken).fill(0)])
  return { chosen, shares: add(g, shareOfSum(g, own), ones) }
}

interface Choice {
  readonly config: TextConfig
  /** int64 [1, count] */
  readonly chosen: Value
  readonly count: number
  readonly form: BlockForm
}

/** x times the rows of a [experts * inner, hidden] matrix that belong to the chosen experts: [1, count * inner]. */
function rowsOfExperts(
  g: GraphBuilder,
  x: Value,
  weight: WeightSource,
  { config, chosen, count, form }: Choice,
): Value {
  const { blockSize } = form
  const [inner, k] = [config.moe_intermediate_size, rowSize(weight)]
  const blocks = blocksPerRow(k, blockSize)
  const { values, scales } = quantizedWeight(g, weight, blockSize, (width) => [
    expertCount(config),
    inner,
    width,
  ])
  const n = count * inner
  const own = {
    values: reshape(g, gather(g, values, chosen, 0), [n, blocks, blockSize]),
    scales: reshape(g, gather(g, scales, chosen, 0), [n, blocks]),
  }
  return matMulNBits(g, x, own, { n, k, ...form })
}

/** x [1, count * inner] times the columns of a [hidden, experts * inner] matrix that belong to the chosen experts. */
function columnsOfExperts(
  g: GraphBuilder,
  x: Value,
  weight: WeightSource,
  { config, chosen, count, form }: Choice,
): Value {
  const { blockSize } = form
  const n = rowCount(weight)
  const k = count * config.moe_intermediate_size
  const { values, scales } = quantizedWeight(g, weight, blockSize, (width) => [
    n,
    expertCount(config),
    width / expertCount(config),
  ])
  const blocks = k / blockSize
  const own = {
    values: reshape(g, gather(g, values, chosen, 1), [n, blocks, blockSize]),
    scales: reshape(g, gather(g, scales, chosen, 1), [n, blocks]),
  }
  return matMulNBits(g, x, own, { n, k, ...form })
}
