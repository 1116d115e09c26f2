import type { Checkpoint } from '../../../checkpoint/checkpoint.ts'
import { GraphBuilder, type BuiltGraph, type Value } from '../../../graph/graph-builder.ts'
import { layerNorm, linear, type WeightForm } from '../../../graph/layers.ts'
import { gelu } from '../../../graph/operators/arithmetic.ts'
import { reshape } from '../../../graph/operators/shapes.ts'
import type { VisionConfig } from '../../config/model-config.ts'
import { affine, visionNormEpsilon } from './affine.ts'
import { visionNames } from '../vision-names.ts'

/** Never rounded: it is 2 % of the tower's work, and nothing can be balanced across its GELU. */
const form: WeightForm = { kind: 'f32' }

/**
 * From patches to image tokens: pre_norm -> merge 2x2 -> linear_1 -> gelu -> linear_2. pre_norm works on single
 * patches, which are concatenated only afterwards.
 */
export function buildProjectorGraph(config: VisionConfig, checkpoint: Checkpoint): BuiltGraph {
  const g = new GraphBuilder('projector')
  const patches = g.input(visionNames.cells, 'float32', ['patches', config.hidden_size])
  outputFeatures(g, checkpoint, projectCells(g, config, checkpoint, patches))
  return g.build()
}

/** Makes the features the graph's output. */
export function outputFeatures(g: GraphBuilder, checkpoint: Checkpoint, features: Value): void {
  const dims = ['image_tokens', featureWidth(checkpoint)]
  g.output(visionNames.imageFeatures, features, 'float32', dims)
}

/** Numbers of a token's features. */
export function featureWidth(checkpoint: Checkpoint): number {
  return affine(checkpoint, 'multi_modal_projector.linear_2').bias.dims[0]!
}

/** @param patches [patches, hidden] @returns [patches / merge^2, text hidden] */
export function projectCells(
  g: GraphBuilder,
  config: VisionConfig,
  checkpoint: Checkpoint,
  patches: Value,
): Value {
  const merged = config.hidden_size * config.merge_kernel_size[0] * config.merge_kernel_size[1]
  const weights = (name: string) => affine(checkpoint, `multi_modal_projector.${name}`)
  const normed = layerNorm(g, 'pre_norm', patches, weights('pre_norm'), visionNormEpsilon)
  const cells = reshape(g, normed, [-1, merged])
  const [first, second] = [weights('linear_1'), weights('linear_2')]
  const inner = gelu(g, linear(g, 'linear_1', cells, first.weight, form, first.bias), 'none')
  return linear(g, 'linear_2', inner, second.weight, form, second.bias)
}
