import type { TextConfig } from '../config/model-config.ts'
import type { RowsId, SlotId, StepRow } from '../model.ts'
import { runDecoder } from './decoder.ts'
import type { CacheInfo, Decoder } from './decoder-part.ts'
import type { EmbeddingTable } from './embedding-table.ts'
import { KvCache } from './kv-cache.ts'
import { defaultExpandedFromTokens } from './lane-plan.ts'
import type { CacheChange, Stage } from './stages/stage.ts'

export interface StagedDecoderSetup {
  readonly config: TextConfig
  readonly embeddings: Pick<EmbeddingTable, 'lookUp'>
  /** Absorbed lanes of the CPU's graphs: the most sequences in one step. */
  readonly lanes: number
  /** The most slots open at a time. */
  readonly slots: number
  /** Chunk length in tokens from which attention expands keys and values. */
  readonly expandedFromTokens?: number | undefined
}

/** A decoder whose layers are these stages, which it closes. */
export function stagedDecoder(
  stages: readonly Stage[],
  setup: StagedDecoderSetup,
  cacheInfo: CacheInfo,
): Decoder {
  const { config, embeddings, lanes } = setup
  const expandedFromTokens = setup.expandedFromTokens ?? defaultExpandedFromTokens
  const parts = { stages, config, embeddings, lanes, expandedFromTokens }
  const { ledger, change, count } = cacheOf(setup, stages)
  return {
    cacheInfo,
    ...change,
    slotLength: (slot) => ledger.length(slot),
    async step(rows) {
      const lengths = rows.map(({ slot }) => ledger.length(slot))
      try {
        count(rows)
        return await runDecoder(parts, rows)
      } catch (error) {
        // Some stages may have the tokens already.
        rows.forEach(({ slot }, i) => change.truncateSlot(slot, lengths[i]!))
        throw error
      }
    },
    async close() {
      await Promise.all(stages.map((stage) => stage.close()))
    },
  }
}

/** Stages that were opened side by side. @throws what one of them throws, after the others were closed */
export async function allOpen(opening: readonly Promise<Stage>[]): Promise<Stage[]> {
  const opened = await Promise.allSettled(opening)
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
 * The cache of all layers. Each stage holds the rows of its own layers. A cache without layers counts the same tokens
 * here: it assigns ids, and rejects invalid calls before they reach any stage.
 */
function cacheOf({ config, slots }: StagedDecoderSetup, stages: readonly Stage[]) {
  const maxTokens = config.max_position_embeddings
  const ledger = new KvCache({ slots, layerCount: 0, width: 1, maxTokens })
  const toAll = (change: CacheChange) => stages.forEach((stage) => stage.change(change))
  const change: CacheMethods = {
    openSlot(): SlotId {
      const slot = ledger.open()
      toAll({ type: 'open' })
      return slot
    },
    closeSlot(slot) {
      ledger.close(slot)
      toAll({ type: 'close', slot })
    },
    forkSlot(slot, tokens): SlotId {
      const fork = ledger.fork(slot, tokens)
      toAll({ type: 'fork', slot, tokens })
      return fork
    },
    truncateSlot(slot, tokens) {
      ledger.truncate(slot, tokens)
      toAll({ type: 'truncate', slot, tokens })
    },
    keepRows(slot, from, to): RowsId {
      const rows = ledger.keep(slot, from, to)
      toAll({ type: 'keep', slot, from, to })
      return rows
    },
    restoreRows(slot, rows) {
      ledger.restore(slot, rows)
      toAll({ type: 'restore', slot, rows })
    },
    dropRows(rows) {
      ledger.drop(rows)
      toAll({ type: 'drop', rows })
    },
  }
  const none = new Float32Array(0)
  const count = (rows: readonly StepRow[]) => {
    for (const { slot, tokenIds } of rows) ledger.append(slot, tokenIds.length, () => none)
  }
  return { ledger, change, count }
}
