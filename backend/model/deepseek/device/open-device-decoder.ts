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
import type { CacheInfo } from '../decoder-part.ts'
import type { EmbeddingTable } from '../embedding-table.ts'
import { DeviceDecoder } from './device-decoder.ts'
import type { DeviceGraphs } from './network/device-graph.ts'
import { deviceNames } from './device-names.ts'
import { LogitsMemory } from './logits-memory.ts'
import type { CacheType } from './network/paged-attention.ts'
import { RowCache } from './row-cache.ts'

interface DeviceDecoderSetup {
  readonly accelerator: Accelerator
  readonly config: TextConfig
  readonly embeddings: Pick<EmbeddingTable, 'lookUp'>
  readonly graphs: DeviceGraphs
  readonly readWeight: ReadWeight
  readonly cacheType: CacheType
  /** Where the features of images may be. */
  readonly features: FeatureMemory
  /** Tokens for which memory is set aside, over all sequences. */
  readonly cacheTokens: number
  /** The most slots open at a time. */
  readonly slots: number
}

/** Uploads the weights and sets the cache's memory aside. @throws {DeviceError} when the device has too little memory */
export async function openDeviceDecoder(setup: DeviceDecoderSetup): Promise<DeviceDecoder> {
  const { accelerator, config, graphs } = setup
  const uploaded = await uploadWeights(accelerator, graphs.allExperts, setup.readWeight)
  const opened = (graph: BuiltGraph) => openGraph(accelerator, graph, uploaded)
  const allExperts = await opened(graphs.allExperts)
  const chosenExperts = graphs.chosenExperts && (await opened(graphs.chosenExperts))
  // Row 0 is never a token's: see `paddingRow`.
  const rows = setup.cacheTokens + 1
  const { slots } = setup
  return new DeviceDecoder({
    accelerator,
    config,
    embeddings: setup.embeddings,
    cache: new RowCache({ slots, rows, maxTokens: config.max_position_embeddings }),
    cacheInfo: cacheInfo(setup),
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

function cacheInfo({ config, cacheType, cacheTokens }: DeviceDecoderSetup): CacheInfo {
  const width = config.kv_lora_rank + config.qk_rope_head_dim
  return {
    cacheBytesPerToken: config.num_hidden_layers * width * elementTypes[cacheType].bytes,
    slotGrowthTokens: 1,
    cacheTokens,
  }
}

async function cacheTensors(
  { accelerator, config, cacheType }: DeviceDecoderSetup,
  rows: number,
): Promise<Tensors> {
  const width = config.kv_lora_rank + config.qk_rope_head_dim
  const tensors: Record<string, Tensor> = {}
  for (let layer = 0; layer < config.num_hidden_layers; layer++) {
    tensors[deviceNames.cache(layer)] = await accelerator.zeros(cacheType, [rows, width])
  }
  return tensors
}
