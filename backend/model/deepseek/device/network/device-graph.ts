import type { Checkpoint } from '../../../../checkpoint/checkpoint.ts'
import { GraphBuilder, type BuiltGraph, type Value } from '../../../../graph/graph-builder.ts'
import { linear, type BlockForm, type WeightForm } from '../../../../graph/layers.ts'
import { add } from '../../../../graph/operators/arithmetic.ts'
import { gather } from '../../../../graph/operators/selection.ts'
import { reshape } from '../../../../graph/operators/shapes.ts'
import type { TextConfig } from '../../../config/model-config.ts'
import type { LayerRange } from '../../decoder-graph.ts'
import { denseMlp } from '../../experts/dense-mlp.ts'
import { ResidualStream } from '../../residual-stream.ts'
import { allExperts } from './all-experts.ts'
import { chosenExperts } from './chosen-experts.ts'
import { expertCount } from './device-experts.ts'
import { outputCandidates } from './device-candidates.ts'
import { deviceNames } from '../device-names.ts'
import { pagedAttention, pagedTokens, type CacheType } from './paged-attention.ts'

export interface DeviceGraphOptions {
  readonly forms: Readonly<Record<'attention' | 'dense' | 'experts' | 'head', WeightForm>>
  readonly cacheType: CacheType
  /**
   * Which experts run: `all` suits any number of tokens, `chosen` a single one, for which it reads fewer weights. Both
   * graphs read the same weights.
   */
  readonly experts: 'all' | 'chosen'
  /** The last layers, which are on the device; all of them unless given. */
  readonly layers?: LayerRange | undefined
}

/** The decoder's graphs for a device. */
export interface DeviceGraphs {
  readonly layers: LayerRange
  /** Its external weights are in the weights file, which has those of all layers. */
  readonly allExperts: BuiltGraph
  /** Reads the same weights; undefined where the weights of single experts cannot be separated. */
  readonly chosenExperts: BuiltGraph | undefined
}

/**
 * The decoder for a device with memory of its own. There is no counterpart to what the CPU's graph does with lengths that
 * are only known at run time (empty pieces, splits by expert): every shape follows from the inputs' dimensions. The cache
 * stays on the device, where it is updated in place.
 */
export function buildDeviceGraph(
  config: TextConfig,
  checkpoint: Checkpoint,
  options: DeviceGraphOptions,
): BuiltGraph {
  const { forms, cacheType, layers = { from: 0, to: config.num_hidden_layers } } = options
  const g = new GraphBuilder('device_decoder')
  const start = startOf(g, config, layers)
  const sampleRows = g.input(deviceNames.sampleRows, 'int64', ['samples'])
  const tokens = pagedTokens(g, config)
  const feedForward = expertLayers(g, config, checkpoint, options)

  const stream = new ResidualStream(g, start, config.rms_norm_eps)
  for (let layer = layers.from; layer < layers.to; layer++) {
    const prefix = `language_model.model.layers.${layer}`
    const norm = (name: string) =>
      stream.normed(name, checkpoint.tensor(`${prefix}.${name}.weight`))
    g.scope(`layers.${layer}`, () => {
      const x = norm('input_layernorm')
      const inputs = { x, tokens, form: forms.attention, cacheType }
      stream.add(g.scope('attention', () => pagedAttention(g, config, checkpoint, layer, inputs)))
      const y = norm('post_attention_layernorm')
      stream.add(
        g.scope('mlp', () =>
          layer < config.first_k_dense_replace
            ? denseMlp(g, config, checkpoint, `${prefix}.mlp`, y, forms.dense)
            : feedForward(`${prefix}.mlp`, y),
        ),
      )
    })
  }
  const final = stream.normed('norm', checkpoint.tensor('language_model.model.norm.weight'))
  const head = checkpoint.tensor('language_model.lm_head.weight')
  const logits = linear(g, 'lm_head', gather(g, final, sampleRows, 0), head, forms.head)
  g.output(deviceNames.logits, logits, 'float32', ['samples', config.vocab_size])
  outputCandidates(g, logits, config.vocab_size)
  return g.build()
}

/** @returns the residual stream before the first of the layers, [N, hidden] */
function startOf(
  g: GraphBuilder,
  { hidden_size: hidden }: TextConfig,
  { from }: LayerRange,
): Value {
  const given = g.input(deviceNames.stream, 'float32', ['batch', 'tokens', hidden])
  const flat = reshape(g, given, [-1, hidden])
  if (from > 0) return flat
  const features = g.input(deviceNames.features, 'float32', ['features', hidden])
  const rows = g.input(deviceNames.featureRows, 'int64', ['rows'])
  return add(g, flat, gather(g, features, rows, 0))
}

/** @returns the feed-forward part of a layer with experts, given the prefix of its weights and its input */
function expertLayers(
  g: GraphBuilder,
  config: TextConfig,
  checkpoint: Checkpoint,
  { experts, forms }: DeviceGraphOptions,
): (prefix: string, x: Value) => Value {
  const form = forms.experts
  if (experts === 'chosen') {
    return (prefix, x) => chosenExperts(g, config, checkpoint, prefix, x, blockForm(form))
  }
  const base = g.input(deviceNames.expertBase, 'float32', ['rows', expertCount(config)])
  return (prefix, x) => allExperts(g, config, checkpoint, prefix, { x, base, form })
}

function blockForm(form: WeightForm): BlockForm {
  if (form.kind === 'q8-blocks') return form
  throw new RangeError(`experts cannot be chosen from weights of the form ${form.kind}`)
}
