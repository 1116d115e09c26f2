import type { Tensor } from 'onnxruntime-node'
import { deviceForm } from '../../../graph/device-graph.ts'
import type { BuiltGraph } from '../../../graph/graph-builder.ts'
import { elementTypes } from '../../../graph/onnx-proto.ts'
import type { ReadWeight } from '../../../graph/weight-reader.ts'
import type { Accelerator, Tensors } from '../../accelerator/accelerator.ts'
import type { FeatureMemory } from '../../accelerator/feature-memory.ts'
import { openGraph, uploadWeights, type OpenGraph } from '../../accelerator/open-graph.ts'
import { RepeatedGraph } from '../../accelerator/repeated-graph.ts'
import type { TextConfig } from '../../config/model-config.ts'
import type { DeviceGraphs } from './network/device-graph.ts'
import { DeviceLayers } from './device-layers.ts'
import { deviceNames } from './device-names.ts'
import { LogitsMemory } from './logits-memory.ts'
import type { CacheType } from './network/paged-attention.ts'
import { RowCache } from './row-cache.ts'

export interface DeviceLayersSetup {
  readonly accelerator: Accelerator
  readonly config: TextConfig
  readonly graphs: DeviceGraphs
  readonly readWeight: ReadWeight
  readonly cacheType: CacheType
  /** Where the features of images may be; undefined where the layers do not begin with embeddings. */
  readonly features: FeatureMemory | undefined
  /** Tokens for which memory is set aside, over all sequences. */
  readonly cacheTokens: number
  /** The most slots open at a time. */
  readonly slots: number
}

/** Uploads the weights and sets the cache's memory aside. @throws {DeviceError} when the device has too little memory */
export async function openDeviceLayers(setup: DeviceLayersSetup): Promise<DeviceLayers> {
  const { accelerator, config, graphs, slots } = setup
  const uploaded = await uploadWeights(accelerator, graphs.allExperts, setup.readWeight)
  const opened = (graph: BuiltGraph) => openGraph(accelerator, graph, uploaded)
  const allExperts = await opened(graphs.allExperts)
  const chosenExperts = graphs.chosenExperts && (await opened(graphs.chosenExperts))
  // Row 0 is never a token's: see `paddingRow`.
  const rows = setup.cacheTokens + 1
  return new DeviceLayers({
    accelerator,
    config,
    layers: graphs.layers,
    cache: new RowCache({ slots, rows, maxTokens: config.max_position_embeddings }),
    cacheTensors: await cacheTensors(setup, rows),
    features: setup.features,
    logits: new LogitsMemory(accelerator, config.vocab_size),
    allExperts,
    chosenExperts,
    repeated: repeatedGraph(
      accelerator,
      graphs.chosenExperts ?? graphs.allExperts,
      chosenExperts ?? allExperts,
    ),
  })
}

/** Bytes of cache per token of the layers on the device. */
export function deviceCacheBytes({
  config,
  cacheType,
  graphs: { layers },
}: Pick<DeviceLayersSetup, 'config' | 'cacheType' | 'graphs'>): number {
  const width = config.kv_lora_rank + config.qk_rope_head_dim
  return (layers.to - layers.from) * width * elementTypes[cacheType].bytes
}

/** @returns the graph for a single token, if the device can repeat what it recorded */
function repeatedGraph(
  accelerator: Accelerator,
  { spec }: BuiltGraph,
  graph: OpenGraph,
): RepeatedGraph | undefined {
  const { repeating } = accelerator
  if (repeating === undefined) return undefined
  const open = () => repeating.open(deviceForm(spec))
  return new RepeatedGraph({ accelerator, repeating, graph, open })
}

async function cacheTensors(
  { accelerator, config, cacheType, graphs: { layers } }: DeviceLayersSetup,
  rows: number,
): Promise<Tensors> {
  const width = config.kv_lora_rank + config.qk_rope_head_dim
  const tensors: Record<string, Tensor> = {}
  for (let layer = layers.from; layer < layers.to; layer++) {
    tensors[deviceNames.cache(layer)] = await accelerator.zeros(cacheType, [rows, width])
  }
  return tensors
}
