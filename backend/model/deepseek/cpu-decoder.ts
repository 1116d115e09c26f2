import type { TextConfig } from '../config/model-config.ts'
import type { RowsId, SlotId, StepRow } from '../model.ts'
import { runDecoder } from './decoder.ts'
import type { Decoder } from './decoder-part.ts'
import type { EmbeddingTable } from './embedding-table.ts'
import { KvCache } from './kv-cache.ts'
import { defaultExpandedFromTokens } from './lane-plan.ts'
import { slotGrowthTokens } from './slot-memory.ts'
import type { StageGraph } from './stages/cut-graph.ts'
import { openLocalStage } from './stages/local-stage.ts'
import type { CacheChange, Stage } from './stages/stage.ts'
import { openThreadedStage } from './stages/threaded-stage.ts'

interface CpuDecoderSetup {
  /** Graph files. */
  readonly stages: readonly StageGraph<string>[]
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

/** @throws {Error} when a graph cannot be opened */
export async function openCpuDecoder(setup: CpuDecoderSetup): Promise<Decoder> {
  const { config, embeddings, lanes } = setup
  const stages = await openStages(setup)
  const width = config.kv_lora_rank + config.qk_rope_head_dim
  const floats = config.num_hidden_layers * width
  const expandedFromTokens = setup.expandedFromTokens ?? defaultExpandedFromTokens
  const parts = { stages, config, embeddings, lanes, expandedFromTokens }
  const { ledger, change, count } = cacheOf(setup, stages)
  return {
    cacheInfo: {
      cacheBytesPerToken: floats * Float32Array.BYTES_PER_ELEMENT,
      slotGrowthTokens,
      cacheTokens: undefined,
    },
    ...change,
    slotLength: (slot) => ledger.length(slot),
    async step(rows) {
      const lengths = rows.map(({ slot }) => ledger.length(slot))
      try {
        count(rows)
        return await runDecoder(parts, rows)
      } catch (error) {
        rows.forEach(({ slot }, i) => ledger.truncate(slot, lengths[i]!))
        throw error
      }
    },
    async close() {
      await Promise.all(stages.map((stage) => stage.close()))
    },
  }
}

/** Opened side by side: the last one, whose results are the largest, in this thread, and each of the others in its own. */
async function openStages({ stages, ...setup }: CpuDecoderSetup): Promise<Stage[]> {
  const { config, threads, slots } = setup
  const opened = await Promise.allSettled(
    stages.map((stage, i) => {
      const open = i === stages.length - 1 ? openLocalStage : openThreadedStage
      return open({ ...stage, config, threads, slots })
    }),
  )
  const failure = opened.find((result) => result.status === 'rejected')
  const whole = opened.flatMap((result) => (result.status === 'fulfilled' ? result.value : []))
  if (failure === undefined) return whole
  await Promise.all(whole.map((stage) => stage.close()))
  throw failure.reason
}

type CacheMethods = Pick<
  Decoder,
  'openSlot' | 'closeSlot' | 'forkSlot' | 'truncateSlot' | 'keepRows' | 'restoreRows' | 'dropRows'
>

/**
 * The cache of all layers. Each stage has that of its own layers; a cache without layers counts the same tokens here, gives the ids,
 * and refuses what is wrong before any stage hears of it.
 */
function cacheOf({ config, slots }: CpuDecoderSetup, stages: readonly Stage[]) {
  const maxTokens = config.max_position_embeddings
  const ledger = new KvCache({ slots, layerCount: 0, width: 1, maxTokens })
  const tell = (change: CacheChange) => stages.forEach((stage) => stage.change(change))
  const change: CacheMethods = {
    openSlot(): SlotId {
      const slot = ledger.open()
      tell({ type: 'open' })
      return slot
    },
    closeSlot(slot) {
      ledger.close(slot)
      tell({ type: 'close', slot })
    },
    forkSlot(slot, tokens): SlotId {
      const fork = ledger.fork(slot, tokens)
      tell({ type: 'fork', slot, tokens })
      return fork
    },
    truncateSlot(slot, tokens) {
      ledger.truncate(slot, tokens)
      tell({ type: 'truncate', slot, tokens })
    },
    keepRows(slot, from, to): RowsId {
      const rows = ledger.keep(slot, from, to)
      tell({ type: 'keep', slot, from, to })
      return rows
    },
    restoreRows(slot, rows) {
      ledger.restore(slot, rows)
      tell({ type: 'restore', slot, rows })
    },
    dropRows(rows) {
      ledger.drop(rows)
      tell({ type: 'drop', rows })
    },
  }
  const none = new Float32Array(0)
  const count = (rows: readonly StepRow[]) => {
    for (const { slot, tokenIds } of rows) ledger.append(slot, tokenIds.length, () => none)
  }
  return { ledger, change, count }
}
