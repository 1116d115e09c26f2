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
import { zeroPadded } from '../../graph/weight-source.ts'
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
  const mlp = paddedMlp(config, { fc0: weights('mlp.fc0'), fc1: weights('mlp.fc1') }, inputs.form)
  const y = norm('norm1', attended)
  const inner = gelu(g, linear(g, 'mlp.fc0', y, mlp.fc0.weight, inputs.form, mlp.fc0.bias), 'tanh')
  return add(g, attended, linear(g, 'mlp.fc1', inner, mlp.fc1.weight, inputs.form, mlp.fc1.bias))
}

type Mlp = Readonly<Record<'fc0' | 'fc1', ReturnType<typeof affine>>>

/**
 * The MLP with its inner width filled up to whole blocks of 8-bit weights, whose kernels are slow with a broken last
 * block (the real width is 4,304 = 33.6 blocks of 128). Zero weights and biases give gelu(0) = 0, and change nothing.
 */
function paddedMlp(config: VisionConfig, { fc0, fc1 }: Mlp, form: WeightForm): Mlp {
  if (form.kind === 'f32') return { fc0, fc1 }
  const { hidden_size: hidden, intermediate_size: width } = config
  const inner = Math.ceil(width / form.blockSize) * form.blockSize
  return {
    fc0: {
      weight: zeroPadded(fc0.weight, [inner, hidden]),
      bias: zeroPadded(fc0.bias, [inner]),
    },
    fc1: { weight: zeroPadded(fc1.weight, [hidden, inner]), bias: fc1.bias },
  }
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
