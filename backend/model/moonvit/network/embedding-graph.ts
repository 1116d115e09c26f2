import type { Checkpoint } from '../../../checkpoint/checkpoint.ts'
import { GraphBuilder, type BuiltGraph, type Value } from '../../../graph/graph-builder.ts'
import { floatWeight, linear } from '../../../graph/layers.ts'
import { add } from '../../../graph/operators/arithmetic.ts'
import { matMul } from '../../../graph/operators/matrix-products.ts'
import { reshape } from '../../../graph/operators/shapes.ts'
import { reshaped } from '../../../graph/weight-source.ts'
import type { VisionConfig } from '../../config/model-config.ts'
import { affine } from './affine.ts'
import { visionNames } from '../vision-names.ts'

/**
 * Input of the blocks for some whole rows of patches: patch_embed + pos_emb(grid). The convolution is a plain product
 * over flattened patches; it stays in float32, being 0.2 % of the tower.
 */
export function buildEmbeddingGraph(config: VisionConfig, checkpoint: Checkpoint): BuiltGraph {
  const g = new GraphBuilder('vision_embedding')
  const hidden = embedPatches(g, config, checkpoint)
  g.output(visionNames.nextHidden, hidden, 'float32', ['patches', config.hidden_size])
  return g.build()
}

/** Declares the inputs of the embedding. @returns [patches, hidden] */
export function embedPatches(g: GraphBuilder, config: VisionConfig, checkpoint: Checkpoint): Value {
  const patchValues = 3 * config.patch_size ** 2
  const patches = g.input(visionNames.patches, 'float32', ['patches', patchValues])
  const rows = g.input(visionNames.rowWeights, 'float32', ['rows', config.init_pos_emb_height])
  const columns = g.input(visionNames.columnWeights, 'float32', [
    'columns',
    config.init_pos_emb_width,
  ])
  return g.scope('patch_embed', () => {
    const { weight, bias } = affine(checkpoint, 'vision_tower.patch_embed.proj')
    const flat = reshaped(weight, [config.hidden_size, patchValues])
    const projected = linear(g, 'proj', patches, flat, { kind: 'f32' }, bias)
    return add(g, projected, positionEmbedding(g, config, checkpoint, { rows, columns }))
  })
}

/**
 * The learned table [height, width, hidden], interpolated to the grid, as [patches, hidden]: one product per axis.
 * ONNX's own Resize takes 50 times as long.
 */
function positionEmbedding(
  g: GraphBuilder,
  config: VisionConfig,
  checkpoint: Checkpoint,
  weights: Readonly<Record<'rows' | 'columns', Value>>,
): Value {
  return g.scope('pos_emb', () => {
    const { init_pos_emb_height: height, init_pos_emb_width: width, hidden_size: hidden } = config
    const source = checkpoint.tensor('vision_tower.patch_embed.pos_emb.weight')
    const table = floatWeight(g, 'weight', reshaped(source, [height, width * hidden]))
    const rows = reshape(g, matMul(g, weights.rows, table), [-1, width, hidden])
    return reshape(g, matMul(g, weights.columns, rows), [-1, hidden])
  })
}
