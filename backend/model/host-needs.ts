import type { BuiltGraph } from '../graph/graph-builder.ts'
import { externalsOf } from '../graph/device-graph.ts'
import { buildGraphs, type GraphOptions } from './convert/graphs/build-graphs.ts'
import type { ModelSource } from './convert/source/model-source.ts'

/** Memory that the model takes of the machine itself, apart from that of a card. */
export interface HostNeeds {
  /** Weights, in the order in which the CPU's kernels read them. */
  readonly weightBytes: number
  /** The largest weight, which exists twice while it is put into that order. */
  readonly largestWeightBytes: number
  /** Cache of a token; 0 when it is on a card. */
  readonly cacheBytesPerToken: number
  /** What a step takes for each token of the longest sequence; 0 when a card runs it. */
  readonly stepBytesPerToken: number
  /** The most tokens one sequence may hold. */
  readonly contextTokens: number
  /** What an image of the largest size takes while it is processed. */
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

/** From the checkpoint's shapes alone; no weight is read. */
export function formNeeds(source: Shapes, options: GraphOptions): FormNeeds {
  const rounded = () => hostNeeds(source, { ...options, weights: 'q8' })
  return {
    chosen: hostNeeds(source, options),
    rounded: options.weights === 'q8' ? undefined : rounded,
  }
}

function hostNeeds({ config, checkpoint, preprocessor }: Shapes, options: GraphOptions): HostNeeds {
  const { text_config: text, vision_config: vision } = config
  const isOnCard = options.layout === 'device'
  const { decoder, ...tower } = buildGraphs(config, checkpoint, options)
  const graphs = [...Object.values(tower), ...(isOnCard ? [] : [decoder])]
  const sizes = graphs.flatMap((graph) => externalsOf(graph.spec).map((one) => one.byteLength))
  const width = text.kv_lora_rank + text.qk_rope_head_dim
  return {
    weightBytes: graphs.reduce((sum, graph) => sum + packedBytes(graph), 0),
    largestWeightBytes: Math.max(...sizes),
    cacheBytesPerToken: isOnCard ? 0 : text.num_hidden_layers * width * floatBytes,
    stepBytesPerToken: isOnCard ? 0 : stepBytesPerToken,
    contextTokens: text.max_position_embeddings,
    imageBytes: patchTensors * preprocessor.inTokenLimit * vision.hidden_size * floatBytes,
  }
}

/** Kernels for 8-bit weights keep a sum beside each scale. */
function packedBytes({ spec }: BuiltGraph): number {
  return externalsOf(spec).reduce((sum, { name, byteLength }) => {
    return sum + (name.endsWith('/scales') ? 2 : 1) * byteLength
  }, 0)
}
