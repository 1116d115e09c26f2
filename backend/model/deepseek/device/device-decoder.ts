import { DeviceFeatures, noFeature } from '../../accelerator/feature-memory.ts'
import { hostFeatures } from '../../host-features.ts'
import {
  wantedLogits,
  type NextLogits,
  type RowsId,
  type SlotId,
  type StepRow,
} from '../../model.ts'
import type { CacheInfo, Decoder } from '../decoder-part.ts'
import type { EmbeddingTable } from '../embedding-table.ts'
import { checkRows } from '../lane-plan.ts'
import type { DeviceLayers, DeviceRow } from './device-layers.ts'

interface DeviceDecoderParts {
  /** All of them. */
  readonly layers: DeviceLayers
  readonly hiddenSize: number
  readonly embeddings: Pick<EmbeddingTable, 'lookUp'>
  readonly cacheInfo: CacheInfo
}

/** The decoder on a device: see `Model`. */
export class DeviceDecoder implements Decoder {
  readonly #parts: DeviceDecoderParts

  constructor(parts: DeviceDecoderParts) {
    this.#parts = parts
  }

  get cacheInfo(): CacheInfo {
    return this.#parts.cacheInfo
  }

  openSlot(): SlotId {
    return this.#cache.open()
  }

  closeSlot(slot: SlotId): void {
    this.#cache.close(slot)
  }

  forkSlot(source: SlotId, tokens: number): SlotId {
    return this.#cache.fork(source, tokens)
  }

  truncateSlot(slot: SlotId, tokens: number): void {
    this.#cache.truncate(slot, tokens)
  }

  slotLength(slot: SlotId): number {
    return this.#cache.length(slot)
  }

  keepRows(slot: SlotId, from: number, to: number): RowsId {
    return this.#cache.keep(slot, from, to)
  }

  restoreRows(slot: SlotId, rows: RowsId): void {
    this.#cache.restore(slot, rows)
  }

  dropRows(rows: RowsId): void {
    this.#cache.drop(rows)
  }

  async step(rows: readonly StepRow[]): Promise<NextLogits[]> {
    checkRows(rows)
    return this.#parts.layers.step(rows.map((row) => this.#embedded(row)))
  }

  /** What is on the accelerator is freed with it. */
  close(): Promise<void> {
    return Promise.resolve()
  }

  get #cache() {
    return this.#parts.layers.cache
  }

  #embedded(row: StepRow): DeviceRow {
    const { slot, tokenIds } = row
    const { hiddenSize, embeddings } = this.#parts
    const stream = new Float32Array(tokenIds.length * hiddenSize)
    embeddings.lookUp(tokenIds, stream)
    const featureRows = new Int32Array(tokenIds.length).fill(noFeature)
    for (const { at, features } of row.features) {
      if (features instanceof DeviceFeatures) {
        featureRows.set(features.rows, at)
        stream.fill(0, at * hiddenSize, at * hiddenSize + features.length)
      } else stream.set(hostFeatures(features), at * hiddenSize)
    }
    return { slot, tokens: tokenIds.length, stream, featureRows, wanted: wantedLogits(row) }
  }
}
