import type { Checkpoint } from '../../../checkpoint/checkpoint.ts'
import type { GraphBuilder, Value } from '../../../graph/graph-builder.ts'
import { layerNorm, linear, type WeightForm } from '../../../graph/layers.ts'
import { add, gelu, mul } from '../../../graph/operators/arithmetic.ts'
import { multiHeadAttention, rotaryEmbedding } from '../../../graph/operators/attention.ts'
import { reshape, split, squeeze, transpose, unsqueeze } from '../../../graph/operators/shapes.ts'
import type { VisionConfig } from '../../config/model-config.ts'
import { middleLink } from '../../equalize/channel-links.ts'
import type { Equalization } from '../../equalize/find-outliers.ts'
import { affine, visionNormEpsilon } from './affine.ts'

/** What all blocks are built from. */
export interface Encoder {
  readonly config: VisionConfig
  readonly checkpoint: Checkpoint
  readonly form: WeightForm
  /** Channels that were balanced in `checkpoint`. */
  readonly equalization: Equalization
}

/** Rotary tables for the patches of this run. */
export interface PatchRope {
  readonly cos: Value
  readonly sin: Value
}

/** Projections of the patches of this run. */
export interface Projections {
  /** [patches, hidden] */
  readonly queries: Value
  /** [heads, patches, headDim] */
  readonly keys: Value
  readonly values: Value
}

/**
 * The first part of a pre-norm block of MoonViT, which works patch by patch:
 *
 *     q | k | v = wqkv(norm0(x)), q and k rotated by rope
 *
 * @param hidden [patches, hidden]
 */
export function projectQkv(
  g: GraphBuilder,
  encoder: Encoder,
  block: number,
  hidden: Value,
  rope: PatchRope,
): Projections {
  const { queries, keys, values } = projectRows(g, encoder, block, hidden, rope)
  const { config } = encoder
  return { queries, keys: byHead(g, keys, config), values: byHead(g, values, config) }
}

/** The same, with keys and values [patches, hidden], too. */
export function projectRows(
  g: GraphBuilder,
  { config, checkpoint, form }: Encoder,
  block: number,
  hidden: Value,
  rope: PatchRope,
): Projections {
  const { hidden_size: size, num_attention_heads: heads } = config
  const weights = (name: string) => blockWeights(checkpoint, block, name)
  const normed = layerNorm(g, 'norm0', hidden, weights('norm0'), visionNormEpsilon)
  g.noteNormed(`${blockPrefix(block)}.norm0`, normed, size)
  const qkv = linear(g, 'wqkv', normed, weights('wqkv').weight, form, weights('wqkv').bias)
  const [q, k, v] = split(g, unsqueeze(g, qkv, 0), [size, size, size], -1)
  const turned = (x: Value) => rotaryEmbedding(g, x, g.int64s([0]), rope, heads)
  const rows = (x: Value) => squeeze(g, x, 0)
  return { queries: rows(turned(q!)), keys: rows(turned(k!)), values: rows(v!) }
}

/**
 * The rest of the block for the same or fewer patches, with keys and values of all patches:
 *
 *     x + wo(softmax(q k^T / sqrt(headDim)) v), then x + fc1(gelu_tanh(fc0(norm1(x))))
 *
 * @param hidden [patches, hidden]
 * @returns [patches, hidden]
 */
export function attendAndFeedForward(
  g: GraphBuilder,
  encoder: Encoder,
  block: number,
  hidden: Value,
  { queries, keys, values }: Projections,
): Value {
  const { config } = encoder
  // Heads are the batch: keys and values are used as stored, and no patch's result depends on which others run with
  // it.
  const mixed = multiHeadAttention(g, byHead(g, queries, config), keys, values, 1)
  const merged = reshape(g, transpose(g, mixed, [1, 0, 2]), [-1, config.hidden_size])
  return feedForward(g, encoder, block, hidden, merged)
}

/** What follows attention. @param mixed [patches, hidden]: values, mixed by attention */
export function feedForward(
  g: GraphBuilder,
  { config, checkpoint, form, equalization }: Encoder,
  block: number,
  hidden: Value,
  mixed: Value,
): Value {
  const weights = (name: string) => blockWeights(checkpoint, block, name)
  const dense = (name: string, x: Value) =>
    linear(g, name, x, weights(name).weight, form, weights(name).bias)
  g.note(`${blockPrefix(block)}.values`, mixed, config.hidden_size)
  const attended = add(g, hidden, dense('wo', mixed))
  const normed = layerNorm(g, 'norm1', attended, weights('norm1'), visionNormEpsilon)
  g.noteNormed(`${blockPrefix(block)}.norm1`, normed, config.hidden_size)
  const middle = gelu(g, dense('mlp.fc0', normed), 'tanh')
  g.note(middleLink(block), middle, config.intermediate_size)
  const balanced = balancedChannels(g, middle, config, equalization[middleLink(block)])
  return add(g, attended, dense('mlp.fc1', balanced))
}

/** Reduces channels by the powers of two by which the weights of the next product are enlarged. */
function balancedChannels(
  g: GraphBuilder,
  x: Value,
  { intermediate_size: inner }: VisionConfig,
  shifts: Equalization[string] | undefined,
): Value {
  if (shifts === undefined) return x
  const factors = Array.from({ length: inner }, (_, channel) => 2 ** -(shifts[channel] ?? 0))
  return mul(g, x, g.float32s(factors))
}

function blockPrefix(block: number): string {
  return `vision_tower.encoder.blocks.${block}`
}

function blockWeights(checkpoint: Checkpoint, block: number, name: string) {
  return affine(checkpoint, `${blockPrefix(block)}.${name}`)
}

/** [..., patches, hidden] -> [heads, patches, headDim] */
function byHead(g: GraphBuilder, x: Value, config: VisionConfig): Value {
  const { hidden_size: hidden, num_attention_heads: heads } = config
  return transpose(g, reshape(g, x, [-1, heads, hidden / heads]), [1, 0, 2])
}
