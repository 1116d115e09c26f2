import { Tensor, type InferenceSession } from 'onnxruntime-node'
import { decoderNames } from './decoder-names.ts'
import type { DecoderStage } from './decoder-stages.ts'
import type { LayerRange } from './decoder-graph.ts'
import type { EmbeddingTable } from './embedding-table.ts'
import { hostFeatures } from '../host-features.ts'
import type { KvCache } from './kv-cache.ts'
import { planLanes, type LanePlan } from './lane-plan.ts'
import type { TextConfig } from '../config/model-config.ts'
import type { NextLogits, StepRow } from '../model.ts'

type Tensors = Readonly<Record<string, Tensor>>

interface DecoderParts {
  /** Run one after the other. */
  readonly stages: readonly DecoderStage<InferenceSession>[]
  readonly config: TextConfig
  readonly embeddings: EmbeddingTable
  readonly cache: KvCache
  /** Absorbed lanes of the graph. */
  readonly lanes: number
  readonly expandedFromTokens: number
}

/** Runs the decoder once over `rows` and appends the new tokens' cache rows to the cache. See `Model.step`. */
export async function runDecoder(
  parts: DecoderParts,
  rows: readonly StepRow[],
): Promise<NextLogits[]> {
  const plan = planLanes(rows, parts)
  const ordered = [...plan.absorbed, plan.expanded].filter((row) => row !== undefined)
  const outputs = await runStages(parts, plan, ordered)
  appendToCache(parts, ordered, outputs)
  const logits = outputs[decoderNames.logits]!.data as Float32Array
  return logitsInCallerOrder(rows, ordered, logits, parts.config.vocab_size).map((row) => ({
    candidates: undefined,
    row: () => Promise.resolve(row),
  }))
}

/** @returns the outputs of all stages together */
async function runStages(
  parts: DecoderParts,
  plan: LanePlan,
  ordered: readonly StepRow[],
): Promise<Tensors> {
  const { positions, sampleRows } = tokenFeeds(parts, ordered)
  const everywhere = { ...countFeeds(parts, plan), [decoderNames.positions]: positions }
  const embeddings = embeddingFeed(parts, ordered, positions.size)
  let outputs: Tensors = {}
  for (const { layers, graph: session } of parts.stages) {
    const isLast = layers.to === parts.config.num_hidden_layers
    const made = await session.run({
      ...everywhere,
      ...pastFeeds(parts, plan, layers),
      ...(layers.from === 0
        ? { [decoderNames.embeddings]: embeddings }
        : {
            [decoderNames.stream]: outputs[decoderNames.nextStream]!,
            [decoderNames.branch]: outputs[decoderNames.nextBranch]!,
          }),
      ...(isLast && { [decoderNames.sampleRows]: sampleRows }),
    })
    outputs = { ...outputs, ...made }
  }
  return outputs
}

/** Token counts of each lane. */
function countFeeds({ cache }: DecoderParts, plan: LanePlan): Tensors {
  const lanes = lanesOf(plan)
  return {
    [decoderNames.counts]: int64(lanes.map((row) => row?.tokenIds.length ?? 0)),
    [decoderNames.pastLengths]: int64(lanes.map((row) => pastLength(cache, row))),
  }
}

/** Cached rows of each lane in a stage's layers: views, not copies. */
function pastFeeds({ config, cache }: DecoderParts, plan: LanePlan, layers: LayerRange): Tensors {
  const feeds: Record<string, Tensor> = {}
  const width = latentWidth(config)
  const noRows = new Float32Array(0)
  for (let layer = layers.from; layer < layers.to; layer++) {
    lanesOf(plan).forEach((row, lane) => {
      const isExpanded = lane === plan.absorbed.length
      const name = isExpanded ? decoderNames.expandedPast(layer) : decoderNames.past(layer, lane)
      const past = row === undefined ? noRows : cache.rowsAt(row.slot, layer)
      feeds[name] = new Tensor('float32', past, [pastLength(cache, row), width])
    })
  }
  return feeds
}

function lanesOf(plan: LanePlan): readonly (StepRow | undefined)[] {
  return [...plan.absorbed, plan.expanded]
}

function pastLength(cache: KvCache, row: StepRow | undefined): number {
  return row === undefined ? 0 : cache.length(row.slot)
}

/** Positions of the tokens, and which ones' logits are wanted. */
function tokenFeeds(
  { cache }: DecoderParts,
  ordered: readonly StepRow[],
): { readonly positions: Tensor; readonly sampleRows: Tensor } {
  const positions: number[] = []
  const sampleRows: number[] = []
  for (const { slot, tokenIds, sample } of ordered) {
    const past = cache.length(slot)
    for (let i = 0; i < tokenIds.length; i++) positions.push(past + i)
    if (sample) sampleRows.push(positions.length - 1)
  }
  return { positions: int64(positions, [1, positions.length]), sampleRows: int64(sampleRows) }
}

/** Token embeddings, with image features in place of the placeholders' embeddings. */
function embeddingFeed(
  { config, embeddings }: DecoderParts,
  ordered: readonly StepRow[],
  total: number,
): Tensor {
  const hidden = config.hidden_size
  const values = new Float32Array(total * hidden)
  let start = 0
  for (const { tokenIds, features } of ordered) {
    const own = values.subarray(start * hidden, (start + tokenIds.length) * hidden)
    embeddings.lookUp(tokenIds, own)
    for (const span of features) own.set(hostFeatures(span.features), span.at * hidden)
    start += tokenIds.length
  }
  return new Tensor('float32', values, [total, hidden])
}

function appendToCache(
  { config, cache }: DecoderParts,
  ordered: readonly StepRow[],
  outputs: Tensors,
): void {
  const width = latentWidth(config)
  const present = Array.from(
    { length: config.num_hidden_layers },
    (_, layer) => outputs[decoderNames.present(layer)]!.data as Float32Array,
  )
  let start = 0
  for (const { slot, tokenIds } of ordered) {
    const from = start * width
    start += tokenIds.length
    const to = start * width
    cache.append(slot, tokenIds.length, (layer) => present[layer]!.subarray(from, to))
  }
}

function logitsInCallerOrder(
  rows: readonly StepRow[],
  ordered: readonly StepRow[],
  logits: Float32Array,
  vocabSize: number,
): Float32Array[] {
  const bySlot = new Map<StepRow['slot'], Float32Array>()
  for (const { slot, sample } of ordered) {
    if (!sample) continue
    const start = bySlot.size * vocabSize
    bySlot.set(slot, logits.subarray(start, start + vocabSize))
  }
  return rows.filter(({ sample }) => sample).map(({ slot }) => bySlot.get(slot)!)
}

function int64(values: readonly number[], dims: readonly number[] = [values.length]): Tensor {
  return new Tensor('int64', BigInt64Array.from(values, BigInt), dims)
}

function latentWidth(config: TextConfig): number {
  return config.kv_lora_rank + config.qk_rope_head_dim
}
