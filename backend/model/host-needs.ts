import type { BuiltGraph } from '../graph/graph-builder.ts'
import { externalsOf } from '../graph/device-graph.ts'
import { buildGraphs, type GraphOptions } from './convert/graphs/build-graphs.ts'
import type { ModelSource } from './convert/source/model-source.ts'
import { componentForms } from './convert/graphs/weight-forms.ts'
import type { ModelConfig, TextConfig } from './config/model-config.ts'
import { buildDecoderGraph } from './deepseek/decoder-graph.ts'
import { stageBytes, stageLayersFor } from './deepseek/stages/cut-graph.ts'
import { mergedPatches } from './moonvit/pass-inputs.ts'

/** Memory that the model takes on the machine itself, not on a card. */
export interface HostNeeds {
  /** Weights, in the order in which the CPU's kernels read them. */
  readonly weightBytes: number
  /** The largest weight: it exists twice while it is put into that order, and passes through this memory on its way to a card. */
  readonly largestWeightBytes: number
  /** Cache of a token, in the layers that are not on a card. */
  readonly cacheBytesPerToken: number
  /** What a step takes for each token of the longest sequence; 0 when a card runs all of it. */
  readonly stepBytesPerToken: number
  /** What steps keep however short their sequences: every stage of the decoder after the first one has room of its own. */
  readonly stagesBytes: number
  /** The most tokens one sequence may hold. */
  readonly contextTokens: number
  /** What an image of the largest size takes while it is processed; with a card, only its features. */
  readonly imageBytes: number
}

/** Of a model in the form that was chosen, and in 8 bits. */
export interface FormNeeds {
  readonly chosen: HostNeeds
  /** Undefined where that is the chosen one. */
  readonly rounded: (() => HostNeeds) | undefined
}

/**
 * Bytes of scores, keys and values that a step with a chunk of 512 prompt tokens takes for each token of its sequence: one
 * head's at a time. Measured with 130,048 cached tokens: 1.3 GB.
 */
const stepBytesPerToken = 10_240

/** Tensors [patches, width] of an image between two blocks of the vision tower; see `PatchState`. */
const patchTensors = 6

const floatBytes = Float32Array.BYTES_PER_ELEMENT

type Shapes = Pick<ModelSource, 'config' | 'checkpoint' | 'preprocessor'>

interface HostForm extends GraphOptions {
  /** Cores that may be used. */
  readonly threads: number
  /** Layers of each stage of the decoder; chosen so that it loads quickly unless given. */
  readonly stageLayers?: readonly number[] | undefined
  /** Layers of the decoder that are on the CPU while the others are on a device; see `ModelFolderOptions`. */
  readonly cpuLayers?: number | undefined
}

/** From the checkpoint's shapes alone; no weight is read. */
export function formNeeds(source: Shapes, options: HostForm): FormNeeds {
  const rounded = () => hostNeeds(source, { ...options, weights: 'q8' })
  return {
    chosen: hostNeeds(source, options),
    rounded: options.weights === 'q8' ? undefined : rounded,
  }
}

function hostNeeds({ config, checkpoint, preprocessor }: Shapes, options: HostForm): HostNeeds {
  const { text_config: text } = config
  const isOnDevice = options.layout === 'device'
  const graphs = buildGraphs(config, checkpoint, options)
  const all: readonly BuiltGraph[] = Object.values(graphs)
  const layers = isOnDevice ? (options.cpuLayers ?? 0) : text.num_hidden_layers
  const kept = isOnDevice ? firstLayers(text, checkpoint, options, layers) : all
  const sizes = [...all, ...kept].flatMap(({ spec }) =>
    externalsOf(spec).map(({ byteLength }) => byteLength),
  )
  const { stageLayers, threads } = options
  const stages = isOnDevice
    ? [layers]
    : (stageLayers ?? stageLayersFor(graphs.decoder, layers, threads))
  const width = text.kv_lora_rank + text.qk_rope_head_dim
  return {
    weightBytes: kept.reduce((sum, graph) => sum + packedBytes(graph), 0),
    largestWeightBytes: Math.max(...sizes),
    cacheBytesPerToken: layers * width * floatBytes,
    stepBytesPerToken: layers === 0 ? 0 : stepBytesPerToken,
    stagesBytes: (stages.length - 1) * stageBytes,
    contextTokens: text.max_position_embeddings,
    imageBytes: floatBytes * preprocessor.inTokenLimit * numbersOfPatch(config, isOnDevice),
  }
}

/** Numbers that are kept on the machine for each patch of an image in progress. */
function numbersOfPatch(
  { text_config: text, vision_config: vision }: ModelConfig,
  isOnDevice: boolean,
): number {
  if (isOnDevice) return text.hidden_size / mergedPatches(vision)
  return patchTensors * vision.hidden_size
}

/** The graph of layers that are on the CPU while the others are on a device, if there are any. */
function firstLayers(
  config: TextConfig,
  checkpoint: Shapes['checkpoint'],
  options: HostForm,
  count: number,
): BuiltGraph[] {
  if (count === 0) return []
  const forms = componentForms({ ...options, layout: 'cpu' })
  const layers = { from: 0, to: count }
  return [buildDecoderGraph(config, checkpoint, { forms, lanes: options.slots, layers })]
}

/** Kernels for 8-bit weights keep a sum beside each scale. */
function packedBytes({ spec }: BuiltGraph): number {
  return externalsOf(spec).reduce((sum, { name, byteLength }) => {
    return sum + (name.endsWith('/scales') ? 2 : 1) * byteLength
  }, 0)
}
