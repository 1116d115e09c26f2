import type { Checkpoint } from '../../checkpoint/checkpoint.ts'
import type { GraphBuilder, Value } from '../../graph/graph-builder.ts'
import { linear, swiGlu, type WeightForm } from '../../graph/layers.ts'
import {
  add,
  concat,
  cumSumExclusive,
  expand,
  gather,
  gatherElements,
  matMul,
  nonZero,
  reduceSum,
  reshape,
  reshapeTo,
  scatterElements,
  shapeOf,
  split,
  squeeze,
  transpose,
  unsqueeze,
} from '../../graph/operators.ts'
import { stackRows } from '../../graph/weight-source.ts'
import type { TextConfig } from '../model-config.ts'
import { swiGluMlp } from './dense-mlp.ts'
import { router, type Routing } from './router.ts'

/**
 * Mixture of experts: sum over the chosen experts of w_e E_e(x), plus the shared expert, which every token passes.
 *
 *     router -> rows sorted by expert -> one product per expert (of 0 rows if nobody chose it) -> back to token order
 */
export function experts(
  g: GraphBuilder,
  config: TextConfig,
  checkpoint: Checkpoint,
  prefix: string,
  x: Value,
  form: WeightForm,
): Value {
  const routing = g.scope('router', () => router(g, config, checkpoint, prefix, x))
  const order = g.scope('order', () => sortByExpert(g, config, routing.indices))
  const routed = g.scope('experts', () =>
    routedExperts(g, config, checkpoint, prefix, { x, order, routing, form }),
  )
  const shared = g.scope('shared_experts', () => {
    const width = config.moe_intermediate_size * config.n_shared_experts
    return swiGluMlp(g, checkpoint, `${prefix}.shared_experts`, { x, width, form })
  })
  return add(g, routed, shared)
}

/** Rows of the batch, once per chosen expert, in expert order. R = N * expertsPerToken. */
interface ExpertOrder {
  /** int64 [experts]: rows of each expert */
  readonly counts: Value
  /** int64 [R]: the token each sorted row belongs to */
  readonly tokens: Value
  /** int64 [N, expertsPerToken]: where a token's result for its j-th expert stands among the sorted rows */
  readonly places: Value
}

/**
 * A counting sort in operators: a 0/1 table [experts, N] of who chose whom, read row by row, lists the tokens of expert
 * 0, then of expert 1 ...; the running sum over the same table tells each pair's place in that list.
 */
function sortByExpert(g: GraphBuilder, config: TextConfig, indices: Value): ExpertOrder {
  const tokenCount = gather(g, shapeOf(g, indices), g.int64s([0]), 0)
  const tableShape = concat(g, [tokenCount, g.int64s([config.n_routed_experts])], 0)
  const zeros = expand(g, g.int64s([0], []), tableShape)
  const ones = expand(g, g.int64s([1], []), shapeOf(g, indices))
  const table = transpose(g, scatterElements(g, zeros, indices, ones, 1), [1, 0])
  const running = cumSumExclusive(g, reshape(g, table, [-1]), 0)
  const places = transpose(g, reshapeTo(g, running, shapeOf(g, table)), [1, 0])
  return {
    counts: reduceSum(g, table, 1, false),
    tokens: gather(g, nonZero(g, table), g.int64s([1], []), 0),
    places: gatherElements(g, places, indices, 1),
  }
}

interface RoutedInputs {
  readonly x: Value
  readonly order: ExpertOrder
  readonly routing: Routing
  readonly form: WeightForm
}

function routedExperts(
  g: GraphBuilder,
  config: TextConfig,
  checkpoint: Checkpoint,
  prefix: string,
  { x, order, routing, form }: RoutedInputs,
): Value {
  const count = config.n_routed_experts
  const weight = (expert: number, name: string) =>
    checkpoint.tensor(`${prefix}.experts.${expert}.${name}.weight`)
  const perExpert = (rows: Value) => split(g, rows, { value: order.counts, count }, 0)

  const gateUp = perExpert(gather(g, x, order.tokens, 0)).map((rows, expert) => {
    const stacked = stackRows([weight(expert, 'gate_proj'), weight(expert, 'up_proj')])
    return linear(g, `${expert}/gate_up`, rows, stacked, form)
  })
  const inner = swiGlu(g, concat(g, gateUp, 0), config.moe_intermediate_size)
  const down = perExpert(inner).map((rows, expert) =>
    linear(g, `${expert}/down`, rows, weight(expert, 'down_proj'), form),
  )
  const chosen = gather(g, concat(g, down, 0), order.places, 0)
  return squeeze(g, matMul(g, unsqueeze(g, routing.weights, 1), chosen), 1)
}
