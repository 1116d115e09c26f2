import type { Checkpoint } from '../../../checkpoint/checkpoint.ts'
import type { WeightSource } from '../../../graph/weight-source.ts'

/** LayerNorm epsilon of tower and projector (kimi-vl reference code; not in config.json). */
export const visionNormEpsilon = 1e-5

/** Weight and bias of a linear or norm layer. */
export function affine(
  checkpoint: Checkpoint,
  name: string,
): { weight: WeightSource; bias: WeightSource } {
  return { weight: checkpoint.tensor(`${name}.weight`), bias: checkpoint.tensor(`${name}.bias`) }
}
