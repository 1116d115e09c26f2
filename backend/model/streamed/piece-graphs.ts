import type { Checkpoint } from '../../checkpoint/checkpoint.ts'
import { GraphBuilder, type BuiltGraph, type Value } from '../../graph/graph-builder.ts'
import { linear, rmsNorm, type WeightForm } from '../../graph/layers.ts'
import { add } from '../../graph/operators/arithmetic.ts'
import { rowCount, sliceRows } from '../../graph/weight-source.ts'
import type { TextConfig } from '../config/model-config.ts'
import { decoderNames } from '../deepseek/decoder-names.ts'
import { swiGluMlp } from '../deepseek/experts/dense-mlp.ts'
import { laneInputs } from '../deepseek/attention/lanes.ts'
import { latentAttention } from '../deepseek/attention/latent-attention.ts'
import { ropeInputs } from '../deepseek/attention/rope.ts'
import { router } from '../deepseek/experts/router.ts'

/** Names of inputs and outputs of the decoder's pieces. */
export const pieceNames = {
  /** float32 [rows, hidden] */
  rows: 'rows',
  result: 'result',
  /** float32 [rows, hidden] */
  normed: 'normed',
  /** int64 and float32 [rows, expertsPerToken] */
  experts: 'experts',
  shares: 'shares',
} as const

/** What the pieces of a decoder are built from. */
export interface DecoderSource {
  readonly config: TextConfig
  readonly checkpoint: Checkpoint
}

const layerPrefix = (layer: number) => `language_model.model.layers.${layer}`

/** The attention of a layer for one sequence at a time: rows -> rows + attention(norm(rows)). */
export function attentionGraph(
  { config, checkpoint }: DecoderSource,
  layer: number,
  form: WeightForm,
): BuiltGraph {
  const { hidden_size: hidden, kv_lora_rank: latent, qk_rope_head_dim: rotated } = config
  const g = new GraphBuilder(`layers.${layer}`)
  const rows = g.input(pieceNames.rows, 'float32', ['tokens', hidden])
  const rope = ropeInputs(g, config)
  const lanes = laneInputs(g, 1)
  const norm = checkpoint.tensor(`${layerPrefix(layer)}.input_layernorm.weight`)
  const x = rmsNorm(g, 'input_layernorm', rows, norm, config.rms_norm_eps)
  g.noteNormed(`${layerPrefix(layer)}.input_layernorm`, x, hidden)
  const inputs = { x, rope, lanes, form }
  const { output, present } = g.scope('attention', () =>
    latentAttention(g, config, checkpoint, layer, inputs),
  )
  g.output(decoderNames.present(layer), present, 'float32', ['tokens', latent + rotated])
  g.output(pieceNames.result, add(g, rows, output), 'float32', ['tokens', hidden])
  return g.build()
}

/** The norm before a layer's feed-forward part. */
export function normGraph({ config, checkpoint }: DecoderSource, layer: number): BuiltGraph {
  const g = new GraphBuilder(`layers.${layer}`)
  const rows = g.input(pieceNames.rows, 'float32', ['rows', config.hidden_size])
  const norm = checkpoint.tensor(`${layerPrefix(layer)}.post_attention_layernorm.weight`)
  const normed = rmsNorm(g, 'post_attention_layernorm', rows, norm, config.rms_norm_eps)
  g.noteNormed(`${layerPrefix(layer)}.post_attention_layernorm`, normed, config.hidden_size)
  g.output(pieceNames.normed, normed, 'float32', ['rows', config.hidden_size])
  return g.build()
}

/** Which experts normed rows choose, and their shares. */
export function routerGraph({ config, checkpoint }: DecoderSource, layer: number): BuiltGraph {
  const g = new GraphBuilder(`layers.${layer}/router`)
  const rows = g.input(pieceNames.rows, 'float32', ['rows', config.hidden_size])
  const { indices, shares } = router(g, config, checkpoint, `${layerPrefix(layer)}.mlp`, rows)
  const dims = ['rows', config.num_experts_per_tok]
  g.output(pieceNames.experts, indices, 'int64', dims)
  g.output(pieceNames.shares, shares, 'float32', dims)
  return g.build()
}

/** A feed-forward network for normed rows. */
export interface FeedForward {
  /** Of its tensors, below the layer's `mlp`: '', '.experts.7' or '.shared_experts'. */
  readonly name: string
  readonly width: number
}

export function feedForwardGraph(
  { config, checkpoint }: DecoderSource,
  layer: number,
  { name, width }: FeedForward,
  form: WeightForm,
): BuiltGraph {
  const g = new GraphBuilder(`layers.${layer}/mlp${name}`)
  const x = g.input(pieceNames.rows, 'float32', ['rows', config.hidden_size])
  const prefix = `${layerPrefix(layer)}.mlp${name}`
  const result = swiGluMlp(g, checkpoint, prefix, { x, width, form })
  g.output(pieceNames.result, result, 'float32', ['rows', config.hidden_size])
  return g.build()
}

/** The norm before the head. */
export function lastNormGraph(source: DecoderSource): BuiltGraph {
  const g = new GraphBuilder('last_norm')
  g.output(pieceNames.result, lastNorm(g, source), 'float32', ['rows', source.config.hidden_size])
  return g.build()
}

function lastNorm(g: GraphBuilder, { config, checkpoint }: DecoderSource): Value {
  const name = 'language_model.model.norm'
  const rows = g.input(pieceNames.rows, 'float32', ['rows', config.hidden_size])
  const weight = checkpoint.tensor(`${name}.weight`)
  const normed = rmsNorm(g, 'norm', rows, weight, config.rms_norm_eps)
  g.noteNormed(name, normed, config.hidden_size)
  return normed
}

/** Logits of `count` tokens of the vocabulary, from `firstId` on. */
export function headGraph(
  source: DecoderSource,
  { firstId, count }: { readonly firstId: number; readonly count: number },
  form: WeightForm,
): BuiltGraph {
  const g = new GraphBuilder('head')
  const normed = lastNorm(g, source)
  const head = sliceRows(source.checkpoint.tensor('language_model.lm_head.weight'), firstId, count)
  const logits = linear(g, 'lm_head', normed, head, form)
  g.output(pieceNames.result, logits, 'float32', ['rows', rowCount(head)])
  return g.build()
}
