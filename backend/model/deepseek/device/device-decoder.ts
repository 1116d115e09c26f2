import type { Accelerator, Tensors } from '../../accelerator/accelerator.ts'
import { DeviceFeatures, noFeature, type FeatureMemory } from '../../accelerator/feature-memory.ts'
import { runGraph, type OpenGraph } from '../../accelerator/open-graph.ts'
import type { RepeatedGraph } from '../../accelerator/repeated-graph.ts'
import type { TextConfig } from '../../config/model-config.ts'
import {
  wantedLogits,
  type NextLogits,
  type RowsId,
  type SlotId,
  type StepRow,
} from '../../model.ts'
import type { CacheInfo, Decoder } from '../decoder-part.ts'
import type { EmbeddingTable } from '../embedding-table.ts'
import { hostFeatures } from '../../host-features.ts'
import { checkRows } from '../lane-plan.ts'
import { deviceNames } from './device-names.ts'
import type { RowCache } from './row-cache.ts'
import { runFeeds, type BatchRow } from './run-feeds.ts'
import type { LogitsMemory } from './logits-memory.ts'
import { nextLogits } from './next-logits.ts'
import { planRuns, type Piece, type Run } from './run-plan.ts'

/**
 * Heads up to some width are attended by ONNX Runtime's FlashAttention kernel: those of 136 numbers are, those of 576, which
 * the full model has, are not.
 */
const widestFlashHead = 512

interface DeviceDecoderParts {
  readonly accelerator: Accelerator
  readonly config: TextConfig
  readonly embeddings: Pick<EmbeddingTable, 'lookUp'>
  readonly cache: RowCache
  readonly cacheInfo: CacheInfo
  /** By input name: each layer's cache on the device. */
  readonly cacheTensors: Tensors
  readonly features: FeatureMemory
  readonly logits: LogitsMemory
  /** For any number of tokens. */
  readonly allExperts: OpenGraph
  /** For a single token, if the weights allow it. */
  readonly chosenExperts: OpenGraph | undefined
  /** The one for a single token once more, if the device repeats runs. */
  readonly repeated: RepeatedGraph | undefined
}

/** A row of a step with what its tokens become. */
interface OpenRow {
  readonly row: StepRow
  /** Tokens in the slot before the step. */
  readonly past: number
  /** [tokens, hidden]; zeros for tokens whose features are on the device */
  readonly embeddings: Float32Array
  /** [tokens]: their rows there */
  readonly featureRows: Int32Array
}

/** One new token of a run. */
interface RunToken {
  readonly open: OpenRow
  /** Index among the new tokens of its row. */
  readonly index: number
}

/** The decoder on a device: see `Model`. */
export class DeviceDecoder implements Decoder {
  readonly #parts: DeviceDecoderParts
  #cacheTensors: Tensors

  constructor(parts: DeviceDecoderParts) {
    this.#parts = parts
    this.#cacheTensors = parts.cacheTensors
  }

  get cacheInfo(): CacheInfo {
    return this.#parts.cacheInfo
  }

  openSlot(): SlotId {
    return this.#parts.cache.open()
  }

  closeSlot(slot: SlotId): void {
    this.#parts.cache.close(slot)
  }

  forkSlot(source: SlotId, tokens: number): SlotId {
    return this.#parts.cache.fork(source, tokens)
  }

  truncateSlot(slot: SlotId, tokens: number): void {
    this.#parts.cache.truncate(slot, tokens)
  }

  slotLength(slot: SlotId): number {
    return this.#parts.cache.length(slot)
  }

  keepRows(slot: SlotId, from: number, to: number): RowsId {
    return this.#parts.cache.keep(slot, from, to)
  }

  restoreRows(slot: SlotId, rows: RowsId): void {
    this.#parts.cache.restore(slot, rows)
  }

  dropRows(rows: RowsId): void {
    this.#parts.cache.drop(rows)
  }

  async step(rows: readonly StepRow[]): Promise<NextLogits[]> {
    checkRows(rows)
    const { cache } = this.#parts
    const open = rows.map((row) => this.#open(row))
    try {
      for (const { row } of open) cache.extend(row.slot, row.tokenIds.length)
      const parts = open.map(({ row, past }) => ({ past, count: row.tokenIds.length }))
      const logits = new Map(rows.map((row): [StepRow, NextLogits[]] => [row, []]))
      this.#parts.logits.beginStep()
      for (const run of planRuns(parts, this.#longPieces)) await this.#run(open, run, logits)
      return rows.flatMap((row) => logits.get(row)!)
    } catch (error) {
      for (const { row, past } of open) cache.truncate(row.slot, past)
      throw error
    }
  }

  /** What is on the accelerator is freed with it. */
  close(): Promise<void> {
    return Promise.resolve()
  }

  /**
   * For several tokens in a row and heads this narrow, which no full-sized model has, ONNX Runtime 1.30 takes a kernel that
   * is wrong by up to 0.2 on Mesa's software driver.
   */
  get #longPieces(): Run['kind'] {
    const { kv_lora_rank: latent, qk_rope_head_dim: rope } = this.#parts.config
    return latent + rope <= widestFlashHead ? 'mixed' : 'chunk'
  }

  #open(row: StepRow): OpenRow {
    const { cache, config, embeddings } = this.#parts
    const hidden = config.hidden_size
    const values = new Float32Array(row.tokenIds.length * hidden)
    embeddings.lookUp(row.tokenIds, values)
    const featureRows = new Int32Array(row.tokenIds.length).fill(noFeature)
    for (const { at, features } of row.features) {
      if (features instanceof DeviceFeatures) {
        featureRows.set(features.rows, at)
        values.fill(0, at * hidden, at * hidden + features.length)
      } else values.set(hostFeatures(features), at * hidden)
    }
    return { row, past: cache.length(row.slot), embeddings: values, featureRows }
  }

  /** Adds the logits that are wanted of tokens in this run. */
  async #run(
    open: readonly OpenRow[],
    { kind, pieces, tableTokens }: Run,
    logits: ReadonlyMap<StepRow, NextLogits[]>,
  ): Promise<void> {
    const { accelerator, config } = this.#parts
    const tokens = pieces.flatMap((piece) => tokensOf(open, piece))
    const sampled = tokens.flatMap(({ open: { row }, index }, place) =>
      index >= row.tokenIds.length - wantedLogits(row) ? [{ row, place }] : [],
    )
    const places = sampled.map(({ place }) => place)
    const sampleRows = places.length > 0 ? places : [tokens.length - 1]
    const feeds = runFeeds(config, {
      rows:
        kind === 'mixed' ? tokens.map((token) => this.#batchRow(token, 1)) : this.#chunk(tokens),
      tokens: kind === 'mixed' ? 1 : tokens.length,
      tableTokens,
      embeddings: embeddingsOf(tokens, config.hidden_size),
      featureRows: Int32Array.from(
        tokens,
        ({ open: { featureRows }, index }) => featureRows[index]!,
      ),
      sampleRows,
    })
    const graph = this.#graphFor(tokens.length)
    const { tensor: features } = this.#parts.features
    const inputs = { ...feeds, ...this.#cacheTensors, [deviceNames.features]: features }
    const updated = {
      ...this.#nextCaches(config.num_hidden_layers),
      [deviceNames.logits]: await this.#parts.logits.take(sampleRows.length),
    }
    const { repeated } = this.#parts
    const outputs =
      tokens.length === 1 && repeated !== undefined
        ? await repeated.run(inputs, updated)
        : await runGraph(accelerator, graph, inputs, updated)
    this.#keepCaches(outputs, config.num_hidden_layers)
    const next = nextLogits(accelerator, outputs)
    sampled.forEach(({ row }, i) => logits.get(row)!.push(next[i]!))
  }

  #chunk(tokens: readonly RunToken[]): BatchRow[] {
    return [this.#batchRow(tokens[0]!, tokens.length)]
  }

  #batchRow({ open: { row, past }, index }: RunToken, tokens: number): BatchRow {
    const position = past + index
    return { position, table: this.#parts.cache.table(row.slot, position + tokens) }
  }

  #graphFor(tokens: number): OpenGraph {
    const { allExperts, chosenExperts } = this.#parts
    return tokens === 1 ? (chosenExperts ?? allExperts) : allExperts
  }

  #nextCaches(layers: number): Tensors {
    const names = Array.from({ length: layers }, (_, layer) => layer)
    return Object.fromEntries(
      names.map((layer) => [
        deviceNames.nextCache(layer),
        this.#cacheTensors[deviceNames.cache(layer)]!,
      ]),
    )
  }

  #keepCaches(outputs: Tensors, layers: number): void {
    const names = Array.from({ length: layers }, (_, layer) => layer)
    this.#cacheTensors = Object.fromEntries(
      names.map((layer) => [deviceNames.cache(layer), outputs[deviceNames.nextCache(layer)]!]),
    )
  }
}

function tokensOf(open: readonly OpenRow[], { part, from, count }: Piece): RunToken[] {
  return Array.from({ length: count }, (_, i) => ({ open: open[part]!, index: from + i }))
}

function embeddingsOf(tokens: readonly RunToken[], hidden: number): Float32Array {
  const values = new Float32Array(tokens.length * hidden)
  tokens.forEach(({ open, index }, place) => {
    values.set(open.embeddings.subarray(index * hidden, (index + 1) * hidden), place * hidden)
  })
  return values
}
