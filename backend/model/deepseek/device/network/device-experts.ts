import type { Checkpoint } from '../../../../checkpoint/checkpoint.ts'
import { scaled, sideBySide } from '../../../../graph/weight-algebra.ts'
import { stackRows, type WeightSource } from '../../../../graph/weight-source.ts'
import type { TextConfig } from '../../../config/model-config.ts'

/** The weights of all experts of a layer, routed ones first, as three matrices. */
export interface ExpertWeights {
  /** [experts * inner, hidden] */
  readonly gate: WeightSource
  readonly up: WeightSource
  /** [hidden, experts * inner]; the routed experts' scaling factor is multiplied in. */
  readonly down: WeightSource
}

/** Each shared expert is a slice of the checkpoint's one shared MLP. */
export function expertCount(config: TextConfig): number {
  return config.n_routed_experts + config.n_shared_experts
}

export function expertWeights(
  config: TextConfig,
  checkpoint: Checkpoint,
  prefix: string,
): ExpertWeights {
  const routed = (name: string) =>
    Array.from({ length: config.n_routed_experts }, (_, expert) =>
      checkpoint.tensor(`${prefix}.experts.${expert}.${name}.weight`),
    )
  const shared = (name: string) => checkpoint.tensor(`${prefix}.shared_experts.${name}.weight`)
  const factor = config.routed_scaling_factor
  const down = routed('down_proj').map((weight) => scaled(weight, factor))
  return {
    gate: stackRows([...routed('gate_proj'), shared('gate_proj')]),
    up: stackRows([...routed('up_proj'), shared('up_proj')]),
    down: sideBySide([...down, shared('down_proj')]),
  }
}
