import { Tensor, type InferenceSession } from 'onnxruntime-node'
import type { TextConfig } from '../../config/model-config.ts'
import type { NextLogits } from '../../model.ts'
import { createSession } from '../../sessions.ts'
import type { LayerRange } from '../decoder-graph.ts'
import { decoderNames } from '../decoder-names.ts'
import { KvCache } from '../kv-cache.ts'
import type { StageGraph } from './cut-graph.ts'
import {
  applyChange,
  type CacheChange,
  type Stage,
  type StageInput,
  type StageLane,
  type StageOutput,
  type StageStep,
} from './stage.ts'

type Tensors = Readonly<Record<string, Tensor>>

export interface StageSetup extends StageGraph<string> {
  readonly config: TextConfig
  /** Cores it may use. */
  readonly threads: number
  /** The most slots open at a time. */
  readonly slots: number
}

/** Opens a stage in this thread, which is blocked meanwhile. @throws {Error} when the graph cannot be opened */
export async function openLocalStage(setup: StageSetup): Promise<LocalStage> {
  return new LocalStage(await createSession(setup.graph, setup), setup)
}

/** A stage whose session and cache belong to this thread. */
export class LocalStage implements Stage {
  readonly #session: InferenceSession
  readonly #config: TextConfig
  readonly #layers: LayerRange
  readonly #cache: KvCache
  #uncommitted: { readonly lanes: StageStep['lanes']; readonly outputs: Tensors } | undefined

  constructor(session: InferenceSession, { config, layers, slots }: StageSetup) {
    this.#session = session
    this.#config = config
    this.#layers = layers
    this.#cache = new KvCache({
      slots,
      layerCount: layers.to - layers.from,
      width: latentWidth(config),
      maxTokens: config.max_position_embeddings,
    })
  }

  change(change: CacheChange): void {
    applyChange(this.#cache, change)
  }

  async run({ lanes, sampleRows, input }: StageStep): Promise<StageOutput> {
    const isLast = this.#layers.to === this.#config.num_hidden_layers
    const outputs = await this.#session.run({
      ...this.#laneFeeds(lanes),
      ...this.#pastFeeds(lanes),
      ...inputFeeds(input, this.#config.hidden_size),
      ...(isLast && { [decoderNames.sampleRows]: int64(sampleRows) }),
    })
    this.#uncommitted = { lanes, outputs }
    if (isLast) return { next: this.#logitsOf(outputs) }
    return {
      stream: floats(outputs, decoderNames.nextStream),
      branch: floats(outputs, decoderNames.nextBranch),
    }
  }

  commit(): void {
    if (this.#uncommitted === undefined) return
    const { lanes, outputs } = this.#uncommitted
    this.#uncommitted = undefined
    const width = latentWidth(this.#config)
    const { from, to } = this.#layers
    const present = Array.from({ length: to - from }, (_, i) =>
      floats(outputs, decoderNames.present(from + i)),
    )
    let start = 0
    for (const lane of lanes) {
      if (lane === undefined) continue
      const first = start * width
      start += lane.tokens
      const end = start * width
      this.#cache.append(lane.slot, lane.tokens, (i) => present[i]!.subarray(first, end))
    }
  }

  async close(): Promise<void> {
    await this.#session.release()
    this.#cache.release()
  }

  #logitsOf(outputs: Tensors): NextLogits[] {
    const { vocab_size: width } = this.#config
    const logits = floats(outputs, decoderNames.logits)
    return Array.from({ length: logits.length / width }, (_, i) => {
      const row = logits.subarray(i * width, (i + 1) * width)
      return { candidates: undefined, row: () => Promise.resolve(row) }
    })
  }

  /** Token counts of each lane, and the tokens' positions in their sequences. */
  #laneFeeds(lanes: StageStep['lanes']): Tensors {
    const positions = lanes.flatMap((lane) => {
      const past = this.#pastLength(lane)
      return Array.from({ length: lane?.tokens ?? 0 }, (_, i) => past + i)
    })
    return {
      [decoderNames.counts]: int64(lanes.map((lane) => lane?.tokens ?? 0)),
      [decoderNames.pastLengths]: int64(lanes.map((lane) => this.#pastLength(lane))),
      [decoderNames.positions]: int64(positions, [1, positions.length]),
    }
  }

  /** Cached rows of each lane: views, not copies. */
  #pastFeeds(lanes: StageStep['lanes']): Tensors {
    const feeds: Record<string, Tensor> = {}
    const { from, to } = this.#layers
    const width = latentWidth(this.#config)
    const noRows = new Float32Array(0)
    for (let layer = from; layer < to; layer++) {
      lanes.forEach((lane, index) => {
        const isExpanded = index === lanes.length - 1
        const name = isExpanded ? decoderNames.expandedPast(layer) : decoderNames.past(layer, index)
        const past = lane === undefined ? noRows : this.#cache.rowsAt(lane.slot, layer - from)
        feeds[name] = new Tensor('float32', past, [this.#pastLength(lane), width])
      })
    }
    return feeds
  }

  #pastLength(lane: StageLane | undefined): number {
    return lane === undefined ? 0 : this.#cache.length(lane.slot)
  }
}

function inputFeeds(input: StageInput, hidden: number): Tensors {
  const rows = (values: Float32Array) =>
    new Tensor('float32', values, [values.length / hidden, hidden])
  if ('embeddings' in input) return { [decoderNames.embeddings]: rows(input.embeddings) }
  return { [decoderNames.stream]: rows(input.stream), [decoderNames.branch]: rows(input.branch) }
}

function floats(outputs: Tensors, name: string): Float32Array {
  return outputs[name]!.data as Float32Array
}

function int64(values: readonly number[], dims: readonly number[] = [values.length]): Tensor {
  return new Tensor('int64', BigInt64Array.from(values, BigInt), dims)
}

function latentWidth(config: TextConfig): number {
  return config.kv_lora_rank + config.qk_rope_head_dim
}
