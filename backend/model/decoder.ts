import { Tensor, type InferenceSession } from 'onnxruntime-node'
import { decoderNames } from './deepseek/decoder-names.ts'
import type { EmbeddingTable } from './embedding-table.ts'
import type { KvCache } from './kv-cache.ts'
import type { TextConfig } from './model-config.ts'
import type { StepRow } from './model.ts'

interface DecoderParts {
  readonly session: InferenceSession
  readonly config: TextConfig
  readonly embeddings: EmbeddingTable
  readonly cache: KvCache
  readonly slots: number
}

/** Runs the decoder graph once over `rows` and appends what it computed to the cache. See `Model.step`. */
export async function runDecoder(
  parts: DecoderParts,
  rows: readonly StepRow[],
): Promise<Float32Array[]> {
  const { config, session, cache } = parts
  const ordered = inSlotOrder(rows)
  const total = ordered.reduce((sum, row) => sum + row.tokenIds.length, 0)
  const feeds = {
    ...batchFeeds(parts, ordered, total),
    ...cacheFeeds(parts),
    [decoderNames.embeddings]: embeddingFeed(parts, ordered, total),
  }
  const outputs = await session.run(feeds)
  const width = config.kv_lora_rank + config.qk_rope_head_dim
  const present = Array.from(
    { length: config.num_hidden_layers },
    (_, layer) => outputs[decoderNames.present(layer)]!.data as Float32Array,
  )
  let start = 0
  for (const { slot, tokenIds } of ordered) {
    const end = start + tokenIds.length
    const [from, to] = [start * width, end * width]
    cache.append(slot, tokenIds.length, (layer) => present[layer]!.subarray(from, to))
    start = end
  }
  const logits = outputs[decoderNames.logits]!.data as Float32Array
  return logitsInCallerOrder(rows, ordered, logits, config.vocab_size)
}

function inSlotOrder(rows: readonly StepRow[]): StepRow[] {
  const ordered = rows.toSorted((a, b) => a.slot - b.slot)
  ordered.forEach((row, index) => {
    if (row.tokenIds.length === 0) throw new RangeError(`slot ${row.slot} has no tokens`)
    if (row.slot === ordered[index + 1]?.slot) throw new RangeError(`slot ${row.slot} stands twice`)
  })
  return ordered
}

function batchFeeds({ cache, slots }: DecoderParts, ordered: readonly StepRow[], total: number) {
  const counts = new BigInt64Array(slots)
  const pastLengths = new BigInt64Array(slots)
  const positions = new BigInt64Array(total)
  const sampleRows: bigint[] = []
  let next = 0
  for (const { slot, tokenIds, sample } of ordered) {
    const past = cache.length(slot)
    counts[slot] = BigInt(tokenIds.length)
    for (let i = 0; i < tokenIds.length; i++) positions[next++] = BigInt(past + i)
    if (sample) sampleRows.push(BigInt(next - 1))
  }
  for (let slot = 0; slot < slots; slot++) pastLengths[slot] = BigInt(cache.lengthAt(slot))
  return {
    [decoderNames.counts]: new Tensor('int64', counts, [slots]),
    [decoderNames.pastLengths]: new Tensor('int64', pastLengths, [slots]),
    [decoderNames.positions]: new Tensor('int64', positions, [1, total]),
    [decoderNames.sampleRows]: new Tensor('int64', BigInt64Array.from(sampleRows), [
      sampleRows.length,
    ]),
  }
}

/** An open slot that takes no part costs nothing to feed: views are passed, not copies. */
function cacheFeeds({ config, cache, slots }: DecoderParts): Record<string, Tensor> {
  const width = config.kv_lora_rank + config.qk_rope_head_dim
  const feeds: Record<string, Tensor> = {}
  for (let layer = 0; layer < config.num_hidden_layers; layer++) {
    for (let slot = 0; slot < slots; slot++) {
      const rows = cache.rowsAt(slot, layer)
      feeds[decoderNames.past(layer, slot)] = new Tensor('float32', rows, [
        rows.length / width,
        width,
      ])
    }
  }
  return feeds
}

/** Token embeddings, image features in the place of their placeholders'. */
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
    for (const span of features) own.set(span.features, span.at * hidden)
    start += tokenIds.length
  }
  return new Tensor('float32', values, [total, hidden])
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
