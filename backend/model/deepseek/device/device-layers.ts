import type { Accelerator, Tensors } from '../../accelerator/accelerator.ts'
import type { FeatureMemory } from '../../accelerator/feature-memory.ts'
import { runGraph, type OpenGraph } from '../../accelerator/open-graph.ts'
import type { RepeatedGraph } from '../../accelerator/repeated-graph.ts'
import type { TextConfig } from '../../config/model-config.ts'
import type { NextLogits, SlotId } from '../../model.ts'
import type { LayerRange } from '../decoder-graph.ts'
import { deviceNames } from './device-names.ts'
import type { LogitsMemory } from './logits-memory.ts'
import { nextLogits } from './next-logits.ts'
import type { RowCache } from './row-cache.ts'
import { runFeeds, type BatchRow } from './run-feeds.ts'
import { planRuns, type Piece, type Run } from './run-plan.ts'

/**
 * Heads up to some width are attended by ONNX Runtime's FlashAttention kernel: those of 136 numbers are, those of 576, which
 * the full model has, are not.
 */
const widestFlashHead = 512

interface DeviceLayersParts {
  readonly accelerator: Accelerator
  readonly config: TextConfig
  readonly layers: LayerRange
  readonly cache: RowCache
  /** By input name: each layer's cache on the device. */
  readonly cacheTensors: Tensors
  /** Undefined where the layers do not begin with embeddings. */
  readonly features: FeatureMemory | undefined
  readonly logits: LogitsMemory
  /** For any number of tokens. */
  readonly allExperts: OpenGraph
  /** For a single token, if the weights allow it. */
  readonly chosenExperts: OpenGraph | undefined
  /** A second copy of the one for a single token, if the device can repeat recorded runs. */
  readonly repeated: RepeatedGraph | undefined
}

/** One sequence's part of a step: its next tokens, as the layers on the device receive them. */
export interface DeviceRow {
  readonly slot: SlotId
  readonly tokens: number
  /** [tokens, hidden]: see `deviceNames.stream`; zeros for tokens whose features are on the device */
  readonly stream: Float32Array
  /** [tokens]: rows of features on the device, `noFeature` for all other tokens */
  readonly featureRows: Int32Array
  /** How many of the last tokens have logits that are wanted. */
  readonly wanted: number
}

/** A row with the tokens that its slot had before. */
interface OpenRow {
  readonly row: DeviceRow
  readonly past: number
}

/** One new token of a run. */
interface RunToken {
  readonly open: OpenRow
  /** Index among the new tokens of its row. */
  readonly index: number
}

/** The decoder's layers that are on a device, which are the last ones or all, with their cache and the head. */
export class DeviceLayers {
  readonly #parts: DeviceLayersParts
  #cacheTensors: Tensors

  constructor(parts: DeviceLayersParts) {
    this.#parts = parts
    this.#cacheTensors = parts.cacheTensors
  }

  /** Which cache rows belong to which slot. Steps append to it. */
  get cache(): RowCache {
    return this.#parts.cache
  }

  /**
   * Runs the layers once over all rows and appends their tokens to their slots, or to none when it throws.
   * @returns the logits that are wanted, row by row
   * @throws {RangeError} when the cache has no room for them
   * @throws {DeviceError} when the device failed
   */
  async step(rows: readonly DeviceRow[]): Promise<NextLogits[]> {
    const { cache } = this.#parts
    const open = rows.map((row) => ({ row, past: cache.length(row.slot) }))
    try {
      for (const { slot, tokens } of rows) cache.extend(slot, tokens)
      const parts = open.map(({ row, past }) => ({ past, count: row.tokens }))
      const logits = new Map(rows.map((row): [DeviceRow, NextLogits[]] => [row, []]))
      this.#parts.logits.beginStep()
      for (const run of planRuns(parts, this.#longPieces)) await this.#run(open, run, logits)
      return rows.flatMap((row) => logits.get(row)!)
    } catch (error) {
      for (const { row, past } of open) cache.truncate(row.slot, past)
      throw error
    }
  }

  /**
   * For several tokens in a row and heads this narrow, which no full-sized model has, ONNX Runtime 1.30 takes a kernel that
   * is wrong by up to 0.2 on Mesa's software driver.
   */
  get #longPieces(): Run['kind'] {
    const { kv_lora_rank: latent, qk_rope_head_dim: rope } = this.#parts.config
    return latent + rope <= widestFlashHead ? 'mixed' : 'chunk'
  }

  /** Adds the logits that are wanted of tokens in this run. */
  async #run(
    open: readonly OpenRow[],
    run: Run,
    logits: ReadonlyMap<DeviceRow, NextLogits[]>,
  ): Promise<void> {
    const { accelerator, repeated } = this.#parts
    const tokens = run.pieces.flatMap((piece) => tokensOf(open, piece))
    const sampled = tokens.flatMap(({ open: { row }, index }, place) =>
      index >= row.tokens - row.wanted ? [{ row, place }] : [],
    )
    const places = sampled.map(({ place }) => place)
    const sampleRows = places.length > 0 ? places : [tokens.length - 1]
    const inputs = this.#inputs(run, tokens, sampleRows)
    const updated = {
      ...this.#nextCaches(),
      [deviceNames.logits]: await this.#parts.logits.take(sampleRows.length),
    }
    const outputs =
      tokens.length === 1 && repeated !== undefined
        ? await repeated.run(inputs, updated)
        : await runGraph(accelerator, this.#graphFor(tokens.length), inputs, updated)
    this.#keepCaches(outputs)
    const next = nextLogits(accelerator, outputs)
    sampled.forEach(({ row }, i) => logits.get(row)!.push(next[i]!))
  }

  #inputs({ kind, tableTokens }: Run, tokens: readonly RunToken[], sampleRows: number[]): Tensors {
    const { config, features } = this.#parts
    const isMixed = kind === 'mixed'
    const feeds = runFeeds(config, {
      rows: isMixed ? tokens.map((token) => this.#batchRow(token, 1)) : this.#chunk(tokens),
      tokens: isMixed ? 1 : tokens.length,
      tableTokens,
      stream: streamOf(tokens, config.hidden_size),
      featureRows: Int32Array.from(tokens, ({ open: { row }, index }) => row.featureRows[index]!),
      sampleRows,
    })
    return {
      ...feeds,
      ...this.#cacheTensors,
      ...(features && { [deviceNames.features]: features.tensor }),
    }
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

  #nextCaches(): Tensors {
    return this.#byLayer((layer) => [
      deviceNames.nextCache(layer),
      this.#cacheTensors[deviceNames.cache(layer)]!,
    ])
  }

  #keepCaches(outputs: Tensors): void {
    this.#cacheTensors = this.#byLayer((layer) => [
      deviceNames.cache(layer),
      outputs[deviceNames.nextCache(layer)]!,
    ])
  }

  #byLayer(entry: (layer: number) => [name: string, tensor: Tensors[string]]): Tensors {
    const { from, to } = this.#parts.layers
    return Object.fromEntries(Array.from({ length: to - from }, (_, i) => entry(from + i)))
  }
}

function tokensOf(open: readonly OpenRow[], { part, from, count }: Piece): RunToken[] {
  return Array.from({ length: count }, (_, i) => ({ open: open[part]!, index: from + i }))
}

function streamOf(tokens: readonly RunToken[], hidden: number): Float32Array {
  const values = new Float32Array(tokens.length * hidden)
  tokens.forEach(({ open: { row }, index }, place) => {
    values.set(row.stream.subarray(index * hidden, (index + 1) * hidden), place * hidden)
  })
  return values
}
