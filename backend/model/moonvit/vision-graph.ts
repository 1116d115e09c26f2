import type { Checkpoint } from '../../checkpoint/checkpoint.ts'
import { GraphBuilder, type BuiltGraph, type Value } from '../../graph/graph-builder.ts'
import { floatWeight, layerNorm, linear, type WeightForm } from '../../graph/layers.ts'
import { add, gather, gelu, matMul, reshape } from '../../graph/operators.ts'
import { reshaped } from '../../graph/weight-source.ts'
import type { VisionConfig } from '../model-config.ts'
import { affine, visionNormEpsilon } from './affine.ts'
import { encoderBlock, type EncoderBlockInputs } from './encoder-block.ts'

/** Names of the vision graph's inputs and outputs. */
export const visionNames = {
  /** float32 [patches, 3 * patchSize^2], normalised, raster order */
  patches: 'patches',
  /** float32 [patch rows, table rows] and [patch columns, table columns]: see positionWeights */
  rowWeights: 'row_weights',
  columnWeights: 'column_weights',
  /** float32 [patches, headDim / 2] */
  cos: 'cos',
  sin: 'sin',
  /** int64 [patches]: patch indices so that those merged into one token stand together */
  mergeOrder: 'merge_order',
  /** float32 [patches, hiddenSize]: after the final norm, raster order */
  patchFeatures: 'patch_features',
  /** float32 [patches / merge^2, text hiddenSize]: what replaces placeholder embeddings */
  imageFeatures: 'image_features',
} as const

/**
 * MoonViT and the projector for one image:
 *
 *     patches -> patch_embed -> + pos_emb(grid) -> blocks -> final_layernorm -> pre_norm -> merge 2x2 -> linear_1 -> gelu -> linear_2
 */
export function buildVisionGraph(
  config: VisionConfig,
  checkpoint: Checkpoint,
  form: WeightForm,
): BuiltGraph {
  const g = new GraphBuilder('vision')
  const headDim = config.hidden_size / config.num_attention_heads
  const patchValues = 3 * config.patch_size ** 2
  const patches = g.input(visionNames.patches, 'float32', ['patches', patchValues])
  const weights = {
    rows: g.input(visionNames.rowWeights, 'float32', ['rows', config.init_pos_emb_height]),
    columns: g.input(visionNames.columnWeights, 'float32', ['columns', config.init_pos_emb_width]),
  }
  const rope = {
    cos: g.input(visionNames.cos, 'float32', ['patches', headDim / 2]),
    sin: g.input(visionNames.sin, 'float32', ['patches', headDim / 2]),
  }
  const mergeOrder = g.input(visionNames.mergeOrder, 'int64', ['patches'])

  const hidden = g.scope('vision_tower', () => {
    const embedded = patchEmbedding(g, config, checkpoint, { patches, weights })
    const positions = g.int64s([0])
    return encoder(g, config, checkpoint, { embedded, rope, positions, form })
  })
  g.output(visionNames.patchFeatures, hidden, 'float32', ['patches', config.hidden_size])
  const features = g.scope('projector', () =>
    projector(g, config, checkpoint, { hidden, mergeOrder, form }),
  )
  const textHidden = affine(checkpoint, 'multi_modal_projector.linear_2').bias.dims[0]!
  g.output(visionNames.imageFeatures, features, 'float32', ['image_tokens', textHidden])
  return g.build()
}

/** The convolution is a plain product over flattened patches; it stays in float32, being 0.2 % of the tower. */
function patchEmbedding(
  g: GraphBuilder,
  config: VisionConfig,
  checkpoint: Checkpoint,
  { patches, weights }: { patches: Value; weights: AxisWeights },
): Value {
  return g.scope('patch_embed', () => {
    const { weight, bias } = affine(checkpoint, 'vision_tower.patch_embed.proj')
    const flat = reshaped(weight, [config.hidden_size, 3 * config.patch_size ** 2])
    const projected = linear(g, 'proj', patches, flat, { kind: 'f32' }, bias)
    return add(g, projected, positionEmbedding(g, config, checkpoint, weights))
  })
}

interface AxisWeights {
  readonly rows: Value
  readonly columns: Value
}

/**
 * The learned table [height, width, hidden], interpolated to the grid, as [patches, hidden]: one product per axis. ONNX's
 * own Resize takes 50 times as long.
 */
function positionEmbedding(
  g: GraphBuilder,
  config: VisionConfig,
  checkpoint: Checkpoint,
  weights: AxisWeights,
): Value {
  return g.scope('pos_emb', () => {
    const { init_pos_emb_height: height, init_pos_emb_width: width, hidden_size: hidden } = config
    const source = checkpoint.tensor('vision_tower.patch_embed.pos_emb.weight')
    const table = floatWeight(g, 'weight', reshaped(source, [height, width * hidden]))
    const rows = reshape(g, matMul(g, weights.rows, table), [-1, width, hidden])
    return reshape(g, matMul(g, weights.columns, rows), [-1, hidden])
  })
}

function encoder(
  g: GraphBuilder,
  config: VisionConfig,
  checkpoint: Checkpoint,
  { embedded, ...shared }: { embedded: Value } & Omit<EncoderBlockInputs, 'hidden'>,
): Value {
  let hidden = embedded
  for (let block = 0; block < config.num_hidden_layers; block++) {
    hidden = g.scope(`blocks.${block}`, () =>
      encoderBlock(g, config, checkpoint, block, { hidden, ...shared }),
    )
  }
  const norm = affine(checkpoint, 'vision_tower.encoder.final_layernorm')
  return layerNorm(g, 'final_layernorm', hidden, norm, visionNormEpsilon)
}

/** pre_norm works on single patches; only then are the merged ones laid side by side. */
function projector(
  g: GraphBuilder,
  config: VisionConfig,
  checkpoint: Checkpoint,
  { hidden, mergeOrder, form }: { hidden: Value; mergeOrder: Value; form: WeightForm },
): Value {
  const merged = config.hidden_size * config.merge_kernel_size[0] * config.merge_kernel_size[1]
  const preNorm = affine(checkpoint, 'multi_modal_projector.pre_norm')
  const normed = layerNorm(g, 'pre_norm', hidden, preNorm, visionNormEpsilon)
  const cells = reshape(g, gather(g, normed, mergeOrder, 0), [-1, merged])
  const first = affine(checkpoint, 'multi_modal_projector.linear_1')
  const inner = gelu(g, linear(g, 'linear_1', cells, first.weight, form, first.bias), 'none')
  const second = affine(checkpoint, 'multi_modal_projector.linear_2')
  return linear(g, 'linear_2', inner, second.weight, form, second.bias)
}
