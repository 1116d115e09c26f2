import type { GraphBuilder, Value } from '../../../graph/graph-builder.ts'
import { div, mul } from '../../../graph/operators/arithmetic.ts'
import { cumSumExclusive, reduceSum } from '../../../graph/operators/reductions.ts'
import { ascendingOrder, scatterElements } from '../../../graph/operators/selection.ts'
import { expand, reshape } from '../../../graph/operators/shapes.ts'
import type { TextConfig } from '../../config/model-config.ts'

/** All pairs of a token and an expert it chose, R = N * expertsPerToken, token by token: the same in every layer. */
export interface ExpertPairs {
  /** int64 [1]: R */
  readonly count: Value
  /** int64 [R] */
  readonly ones: Value
  /** int64 [R]: 0, 1 ... R - 1 */
  readonly numbers: Value
}

/** @param counts int64, sums to N */
export function expertPairs(g: GraphBuilder, config: TextConfig, counts: Value): ExpertPairs {
  return g.scope('pairs', () => {
    const tokens = reduceSum(g, counts, 0, true)
    const count = mul(g, tokens, g.int64s([config.num_experts_per_tok]))
    const ones = expand(g, g.int64s([1], []), count)
    return { count, ones, numbers: cumSumExclusive(g, ones, 0) }
  })
}

/** Rows of the batch, repeated for each chosen expert, in expert order. */
export interface ExpertOrder {
  /** int64 [experts]: number of rows of each expert */
  readonly counts: Value
  /** int64 [R]: the token each sorted row belongs to */
  readonly tokens: Value
  /** int64 [N, expertsPerToken]: index, among the sorted rows, of a token's result from its j-th expert */
  readonly places: Value
}

/**
 * Sorts the pairs by expert, then by token.
 * @param indices int64 [N, expertsPerToken]: chosen experts
 */
export function sortByExpert(
  g: GraphBuilder,
  config: TextConfig,
  { count, ones, numbers }: ExpertPairs,
  indices: Value,
): ExpertOrder {
  const perToken = config.num_experts_per_tok
  const experts = reshape(g, indices, [-1])
  const order = ascendingOrder(g, experts, count)
  const none = g.int64s(Array<number>(config.n_routed_experts).fill(0))
  return {
    counts: scatterElements(g, none, experts, ones, 0, 'add'),
    tokens: div(g, order, g.int64s([perToken])),
    places: reshape(g, scatterElements(g, numbers, order, numbers, 0), [-1, perToken]),
  }
}
