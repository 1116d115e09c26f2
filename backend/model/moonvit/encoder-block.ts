import type { Checkpoint } from '../../checkpoint/checkpoint.ts'
import type { GraphBuilder, Value } from '../../graph/graph-builder.ts'
import { layerNorm, linear, type WeightForm } from '../../graph/layers.ts'
import {
  add,
  gelu,
  multiHeadAttention,
  rotaryEmbedding,
  split,
  squeeze,
  unsqueeze,
} from '../../graph/operators.ts'
import type { VisionConfig } from '../model-config.ts'
import { affine, visionNormEpsilon } from './affine.ts'

export interface EncoderBlockInputs {
  /** [patches, hidden] */
  readonly hidden: Value
  readonly rope: { readonly cos: Value; readonly sin: Value }
  /** int64 [1]: the first row of the rope tables, 0 */
  readonly positions: Value
  readonly form: WeightForm
}

/**
 * One pre-norm block of MoonViT, full attention over the patches of one image:
 *
 *     x + wo(attention(norm0(x))), then x + fc1(gelu_tanh(fc0(norm1(x))))
 */
export function encoderBlock(
  g: GraphBuilder,
  config: VisionConfig,
  checkpoint: Checkpoint,
  block: number,
  inputs: EncoderBlockInputs,
): Value {
  const weights = (name: string) =>
    affine(checkpoint, `vision_tower.encoder.blocks.${block}.${name}`)
  const norm = (name: string, x: Value) => layerNorm(g, name, x, weights(name), visionNormEpsilon)
  const dense = (name: string, x: Value) =>
    linear(g, name, x, weights(name).weight, inputs.form, weights(name).bias)

  const qkv = dense('wqkv', norm('norm0', inputs.hidden))
  const attended = add(g, inputs.hidden, dense('wo', attention(g, config, qkv, inputs)))
  const inner = gelu(g, dense('mlp.fc0', norm('norm1', attended)), 'tanh')
  return add(g, attended, dense('mlp.fc1', inner))
}

/** qkv [patches, 3 * hidden]: all q, then all k, then all v; rope turns q and k. */
function attention(
  g: GraphBuilder,
  config: VisionConfig,
  qkv: Value,
  { rope, positions }: EncoderBlockInputs,
): Value {
  const { hidden_size: hidden, num_attention_heads: heads } = config
  const parts = split(g, unsqueeze(g, qkv, 0), [hidden, hidden, hidden], -1)
  const [q, k, v] = parts as [Value, Value, Value]
  const rotate = (x: Value) => rotaryEmbedding(g, x, positions, rope, heads)
  return squeeze(g, multiHeadAttention(g, rotate(q), rotate(k), v, heads), 0)
}
