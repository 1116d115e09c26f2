import type { Checkpoint } from '../../checkpoint/checkpoint.ts'
import { GraphBuilder, type BuiltGraph } from '../../graph/graph-builder.ts'
import { linear, type WeightForm } from '../../graph/layers.ts'
import { gather } from '../../graph/operators/selection.ts'
import type { TextConfig } from '../config/model-config.ts'
import { latentAttention } from './attention/latent-attention.ts'
import { decoderNames } from './decoder-names.ts'
import { denseMlp } from './experts/dense-mlp.ts'
import { expertPairs } from './experts/expert-order.ts'
import { experts } from './experts/experts.ts'
import { ropeInputs } from './attention/rope.ts'
import { laneInputs } from './attention/lanes.ts'
import { ResidualStream } from './residual-stream.ts'

export interface DecoderGraphOptions {
  readonly forms: Readonly<Record<'attention' | 'dense' | 'experts' | 'head', WeightForm>>
  /** Sequences that can take part in one run, besides the one whose long chunk uses the expanded lane. */
  readonly lanes: number
  /** Layers of this stage; all of them unless given. */
  readonly layers?: LayerRange
}

/** Consecutive layers: from `from` on, up to but not including `to`. */
export interface LayerRange {
  readonly from: number
  readonly to: number
}

/**
 * The DeepSeek-V3 style decoder over the tokens of all lanes at once. Everything but attention works token by token,
 * so sequences of any length, in prefill or decode, share one run.
 */
export function buildDecoderGraph(
  config: TextConfig,
  checkpoint: Checkpoint,
  { forms, lanes, layers = { from: 0, to: config.num_hidden_layers } }: DecoderGraphOptions,
): BuiltGraph {
  const g = new GraphBuilder('decoder')
  const isLast = layers.to === config.num_hidden_layers
  const perToken = ['tokens', config.hidden_size]
  const ofTokens = (name: string) => g.input(name, 'float32', perToken)
  const start =
    layers.from === 0
      ? { sum: ofTokens(decoderNames.embeddings), branch: undefined }
      : { sum: ofTokens(decoderNames.stream), branch: ofTokens(decoderNames.branch) }
  const sampleRows = isLast ? g.input(decoderNames.sampleRows, 'int64', ['rows']) : undefined
  const rope = ropeInputs(g, config)
  const laneBatch = laneInputs(g, lanes)
  const pairs = expertPairs(g, config, laneBatch.counts)

  const stream = new ResidualStream(g, start.sum, config.rms_norm_eps, start.branch)
  for (let layer = layers.from; layer < layers.to; layer++) {
    const prefix = `language_model.model.layers.${layer}`
    g.scope(`layers.${layer}`, () => {
      const x = stream.normed(
        'input_layernorm',
        checkpoint.tensor(`${prefix}.input_layernorm.weight`),
      )
      const attention = g.scope('attention', () =>
        latentAttention(g, config, checkpoint, layer, {
          x,
          rope,
          lanes: laneBatch,
          form: forms.attention,
        }),
      )
      g.output(decoderNames.present(layer), attention.present, 'float32', [
        'tokens',
        config.kv_lora_rank + config.qk_rope_head_dim,
      ])
      stream.add(attention.output)
      const norm = checkpoint.tensor(`${prefix}.post_attention_layernorm.weight`)
      const y = stream.normed('post_attention_layernorm', norm)
      const feedForward = () =>
        layer < config.first_k_dense_replace
          ? denseMlp(g, config, checkpoint, `${prefix}.mlp`, y, forms.dense)
          : experts(g, config, checkpoint, `${prefix}.mlp`, { x: y, pairs, form: forms.experts })
      stream.add(g.scope('mlp', feedForward))
    })
  }
  if (sampleRows === undefined) {
    const { sum, branch } = stream.end()
    g.output(decoderNames.nextStream, sum, 'float32', perToken)
    g.output(decoderNames.nextBranch, branch, 'float32', perToken)
    return g.build()
  }
  const final = stream.normed('norm', checkpoint.tensor('language_model.model.norm.weight'))
  const sampled = gather(g, final, sampleRows, 0)
  const head = checkpoint.tensor('language_model.lm_head.weight')
  const logits = linear(g, 'lm_head', sampled, head, forms.head)
  g.output(decoderNames.logits, logits, 'float32', ['rows', config.vocab_size])
  return g.build()
}
