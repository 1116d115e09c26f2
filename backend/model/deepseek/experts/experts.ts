import type { Checkpoint } from '../../../checkpoint/checkpoint.ts'
import type { GraphBuilder, Value } from '../../../graph/graph-builder.ts'
import { linear, swiGlu, type WeightForm } from '../../../graph/layers.ts'
import { add } from '../../../graph/operators/arithmetic.ts'
import { fusedMatMul } from '../../../graph/operators/matrix-products.ts'
import { gather } from '../../../graph/operators/selection.ts'
import { concat, split, squeeze, unsqueeze } from '../../../graph/operators/shapes.ts'
import { stackRows } from '../../../graph/weight-source.ts'
import type { TextConfig } from '../../config/model-config.ts'
import { swiGluMlp } from './dense-mlp.ts'
import { sortByExpert, type ExpertOrder, type ExpertPairs } from './expert-order.ts'
import { router, type Routing } from './router.ts'

interface ExpertInputs {
  /** [N, hidden], normed */
  readonly x: Value
  readonly pairs: ExpertPairs
  readonly form: WeightForm
}

/**
 * Mixture of experts: the sum of w_e E_e(x) over the chosen experts, plus the shared expert, which processes every
 * token.
 *
 *     router -> rows sorted by expert -> one product per expert (of 0 rows if no token chose it) -> back to token
 * order
 */
export function experts(
  g: GraphBuilder,
  config: TextConfig,
  checkpoint: Checkpoint,
  prefix: string,
  { x, pairs, form }: ExpertInputs,
): Value {
  const routing = g.scope('router', () => router(g, config, checkpoint, prefix, x))
  const order = g.scope('order', () => sortByExpert(g, config, pairs, routing.indices))
  const routed = g.scope('experts', () =>
    routedExperts(g, config, checkpoint, prefix, { x, order, routing, form }),
  )
  const shared = g.scope('shared_experts', () => {
    const width = config.moe_intermediate_size * config.n_shared_experts
    return swiGluMlp(g, checkpoint, `${prefix}.shared_experts`, { x, width, form })
  })
  return add(g, routed, shared)
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
  const alpha = config.routed_scaling_factor
  return squeeze(g, fusedMatMul(g, unsqueeze(g, routing.shares, 1), chosen, { alpha }), 1)
}
