import type { NextLogits, RowsId, SlotId } from '../../model.ts'
import type { KvCache } from '../kv-cache.ts'

/** One sequence's part of a step. */
export interface StageLane {
  readonly slot: SlotId
  /** New tokens. */
  readonly tokens: number
}

/** What a stage begins with. N = new tokens of all lanes. */
export type StageInput =
  /** [N, hidden], for the first stage */
  | { readonly embeddings: Float32Array }
  /** [N, hidden] each, for all others: the residual stream, and what is to be added to it */
  | { readonly stream: Float32Array; readonly branch: Float32Array }

/** One run of a stage, as it can be sent to another thread. */
export interface StageStep {
  /** By lane of the graph, the expanded one last; undefined where a lane is idle. */
  readonly lanes: readonly (StageLane | undefined)[]
  /** Tokens, counted over all lanes, whose logits are wanted. */
  readonly sampleRows: readonly number[]
  readonly input: StageInput
}

/** What a stage returns: the input of the next one, or, from the last one, which is in this thread, the logits of the sampled rows. */
export type StageOutput =
  Exclude<StageInput, { embeddings: Float32Array }> | { readonly next: readonly NextLogits[] }

/** A change to the cache other than a step. Every cache assigns the same ids if it gets all changes in the same order. */
export type CacheChange =
  | { readonly type: 'open' }
  | { readonly type: 'close'; readonly slot: SlotId }
  | { readonly type: 'fork'; readonly slot: SlotId; readonly tokens: number }
  | { readonly type: 'truncate'; readonly slot: SlotId; readonly tokens: number }
  | { readonly type: 'keep'; readonly slot: SlotId; readonly from: number; readonly to: number }
  | { readonly type: 'restore'; readonly slot: SlotId; readonly rows: RowsId }
  | { readonly type: 'drop'; readonly rows: RowsId }

/** Consecutive layers of the decoder with the cache of these layers, in this thread, another, or on a device. */
export interface Stage {
  /** Takes effect before any later run. */
  change(change: CacheChange): void
  /** Calls must not overlap. */
  run(step: StageStep): Promise<StageOutput>
  /** Appends the new tokens of the last run to the cache; without this call they are forgotten. */
  commit(): void
  close(): Promise<void>
}

type ChangedCache = Pick<
  KvCache,
  'open' | 'close' | 'fork' | 'truncate' | 'keep' | 'restore' | 'drop'
>

export function applyChange(cache: ChangedCache, change: CacheChange): void {
  switch (change.type) {
    case 'open':
      cache.open()
      return
    case 'close':
      cache.close(change.slot)
      return
    case 'fork':
      cache.fork(change.slot, change.tokens)
      return
    case 'truncate':
      cache.truncate(change.slot, change.tokens)
      return
    case 'keep':
      cache.keep(change.slot, change.from, change.to)
      return
    case 'restore':
      cache.restore(change.slot, change.rows)
      return
    case 'drop':
      cache.drop(change.rows)
      return
  }
}
