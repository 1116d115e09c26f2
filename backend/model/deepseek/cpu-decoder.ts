import type { TextConfig } from '../config/model-config.ts'
import type { InferenceSession } from 'onnxruntime-node'
import { createSession } from '../sessions.ts'
import { runDecoder } from './decoder.ts'
import type { Decoder } from './decoder-part.ts'
import type { DecoderStage } from './decoder-stages.ts'
import type { EmbeddingTable } from './embedding-table.ts'
import { KvCache } from './kv-cache.ts'
import { defaultExpandedFromTokens } from './lane-plan.ts'
import { slotGrowthTokens } from './slot-memory.ts'

interface CpuDecoderSetup {
  /** Graph files. */
  readonly stages: readonly DecoderStage<string>[]
  readonly config: TextConfig
  readonly embeddings: EmbeddingTable
  /** Cores it may use. */
  readonly threads: number
  /** Absorbed lanes of the graph: the most sequences in one step. */
  readonly lanes: number
  /** The most slots open at a time. */
  readonly slots: number
  /** Chunk length in tokens from which attention expands keys and values. */
  readonly expandedFromTokens?: number | undefined
}

/** @throws {Error} when the graph cannot be opened */
export async function openCpuDecoder(setup: CpuDecoderSetup): Promise<Decoder> {
  const { config, embeddings, lanes, slots } = setup
  const stages = await openStages(setup)
  const layerCount = config.num_hidden_layers
  const width = config.kv_lora_rank + config.qk_rope_head_dim
  const cache = new KvCache({
    slots,
    layerCount,
    width,
    maxTokens: config.max_position_embeddings,
  })
  const expandedFromTokens = setup.expandedFromTokens ?? defaultExpandedFromTokens
  const parts = { stages, config, embeddings, cache, lanes, expandedFromTokens }
  return {
    cacheInfo: {
      cacheBytesPerToken: layerCount * width * Float32Array.BYTES_PER_ELEMENT,
      slotGrowthTokens,
      cacheTokens: undefined,
    },
    openSlot: () => cache.open(),
    closeSlot: (slot) => cache.close(slot),
    forkSlot: (slot, tokens) => cache.fork(slot, tokens),
    truncateSlot: (slot, tokens) => cache.truncate(slot, tokens),
    slotLength: (slot) => cache.length(slot),
    keepRows: (slot, from, to) => cache.keep(slot, from, to),
    restoreRows: (slot, rows) => cache.restore(slot, rows),
    dropRows: (rows) => cache.drop(rows),
    step: (rows) => runDecoder(parts, rows),
    async close() {
      await Promise.all(stages.map(({ graph: session }) => session.release()))
      cache.release()
    },
  }
}

async function openStages(
  setup: Pick<CpuDecoderSetup, 'stages' | 'threads'>,
): Promise<DecoderStage<InferenceSession>[]> {
  const opened: DecoderStage<InferenceSession>[] = []
  for (const { layers, graph } of setup.stages) {
    opened.push({ layers, graph: await createSession(graph, setup) })
  }
  return opened
}
