import type { Checkpoint } from '../../../../checkpoint/checkpoint.ts'
import type { GraphBuilder, Value } from '../../../../graph/graph-builder.ts'
import { linear, type WeightForm } from '../../../../graph/layers.ts'
import { mul, silu } from '../../../../graph/operators/arithmetic.ts'
import { scatterElements } from '../../../../graph/operators/selection.ts'
import { reshape, unsqueeze } from '../../../../graph/operators/shapes.ts'
import type { TextConfig } from '../../../config/model-config.ts'
import { router } from '../../experts/router.ts'
import { expertCount, expertWeights } from './device-experts.ts'

interface AllExpertsInputs {
  /** [N, hidden], normed */
  readonly x: Value
  /** See `deviceNames.expertBase`. */
  readonly base: Value
  readonly form: WeightForm
}

/**
 * All experts as one MLP, with weight 0 for those that were not chosen and 1 for shared ones. Many times the operations
 * of the chosen ones alone, but three products whose shapes do not depend on the choice; the weights are read once for any
 * number of tokens.
 */
export function allExperts(
  g: GraphBuilder,
  config: TextConfig,
  checkpoint: Checkpoint,
  prefix: string,
  { x, base, form }: AllExpertsInputs,
): Value {
  const { indices, shares } = g.scope('router', () => router(g, config, checkpoint, prefix, x))
  const weights = scatterElements(g, base, indices, shares, 1)
  const { gate, up, down } = expertWeights(config, checkpoint, prefix)
  const [experts, inner] = [expertCount(config), config.moe_intermediate_size]
  const h = mul(g, silu(g, linear(g, 'gate', x, gate, form)), linear(g, 'up', x, up, form))
  const weighted = mul(g, reshape(g, h, [-1, experts, inner]), unsqueeze(g, weights, 2))
  return linear(g, 'down', reshape(g, weighted, [-1, experts * inner]), down, form)
}
