import type { TextConfig } from '../../backend/model/config/model-config.ts'
import type { Model, SlotId } from '../../backend/model/model.ts'
import { prefillFlopsPerToken } from './cpu/floor.ts'
import type { Machine, MachineLimits } from './machine.ts'
import { summary, timed, type BenchRow, type Measured } from './measure.ts'

export interface TextBench {
  readonly model: Model
  readonly config: TextConfig
  /** Bytes of weights that one step of this many sequences has to read. */
  readonly weightBytes: (sequences: number) => number
  readonly machine: MachineLimits
  readonly limits: Machine
}

/** Tokens of one prefill call: the engine's largest chunk. */
const chunkTokens = 512

/** Timed steps between two measurements of the bandwidth. */
const stepsInARow = 6

/** Random ids. In real text, neighbours would choose the same experts more often. */
function randomIds(count: number, vocabSize: number): Int32Array {
  return Int32Array.from({ length: count }, () => Math.floor(Math.random() * vocabSize))
}

async function read({ model, config }: TextBench, slot: SlotId, tokens: number): Promise<void> {
  for (let left = tokens; left > 0; left -= chunkTokens) {
    const tokenIds = randomIds(Math.min(left, chunkTokens), config.vocab_size)
    await model.step([{ slot, tokenIds, features: [], sample: left <= chunkTokens }])
  }
}

/** What is decoded: `sequences`, each with `context` cached tokens and, if given, a draft of `drafted` tokens. */
interface Decoding {
  readonly sequences: number
  readonly context: number
  readonly drafted?: number
  /** Whether all have the same context, which is read once: right where a step reads all experts anyway. */
  readonly sharesContext?: boolean
}

/** @returns slots whose contexts have been read */
async function openSequences(
  bench: TextBench,
  { sequences, context, sharesContext = false }: Decoding,
): Promise<SlotId[]> {
  const { model } = bench
  const slots: SlotId[] = []
  while (slots.length < sequences) {
    const [first] = slots
    if (sharesContext && first !== undefined) {
      slots.push(model.forkSlot(first, context))
      continue
    }
    const slot = model.openSlot()
    slots.push(slot)
    await read(bench, slot, context)
  }
  return slots
}

/**
 * Runs `steps` steps of streams. The bandwidth is measured again every few steps, because it changes from minute to minute on
 * a shared machine.
 */
export async function benchDecode(
  bench: TextBench,
  decoding: Decoding,
  steps: number,
): Promise<BenchRow> {
  const { model, config, limits } = bench
  const { drafted = 0 } = decoding
  const slots = await openSequences(bench, decoding)
  const step = async () => {
    await model.step(
      slots.map((slot) => ({
        slot,
        tokenIds: randomIds(1 + drafted, config.vocab_size),
        features: [],
        sample: true,
        drafted,
      })),
    )
    if (drafted === 0) return
    for (const slot of slots) model.truncateSlot(slot, model.slotLength(slot) - drafted)
  }
  let bandwidth = 0
  const durations: number[] = []
  while (durations.length < steps) {
    bandwidth = Math.max(bandwidth, await limits.readBandwidth())
    // The first step finds the CPU's caches cold.
    await step()
    for (let i = 0; i < Math.min(steps, stepsInARow); i++) durations.push(await timed(step))
  }
  for (const slot of slots) model.closeSlot(slot)
  return decodeRow(bench, decoding, summary(durations), bandwidth)
}

/** @param bandwidth in GB/s */
function decodeRow(
  { model, weightBytes }: TextBench,
  { sequences, context, drafted = 0 }: Decoding,
  { bestMs, medianMs }: Measured,
  bandwidth: number,
): BenchRow {
  const cacheBytes = sequences * context * model.info.cacheBytesPerToken
  const bytes = weightBytes(sequences * (1 + drafted)) + cacheBytes
  const floorMs = bytes / bandwidth / 1e6
  const draft = drafted === 0 ? '' : ` with a draft of ${drafted}`
  return {
    name: `decode, ${sequences} at once${draft}, context ${context}`,
    value: `${((sequences * 1000) / bestMs).toFixed(1)} tok/s (${bestMs.toFixed(1)} ms, median ${medianMs.toFixed(1)})`,
    ratio: `${percent(floorMs / bestMs)} of the floor at ${bandwidth.toFixed(1)} GB/s`,
    data: {
      sequences,
      context,
      drafted,
      bestMs,
      medianMs,
      floorMs,
      bandwidth,
      gigabytes: bytes / 1e9,
    },
  }
}

/** A prompt, or the rest of one. */
export interface Prompt {
  /** Tokens to prefill. */
  readonly tokens: number
  /** Tokens prefilled before. */
  readonly past: number
}

/** Prefills prompts in turns to make them comparable: the time per token relative to the first prompt. */
export async function benchPrefill(
  bench: TextBench,
  prompts: readonly Prompt[],
  rounds: number,
): Promise<BenchRow[]> {
  const { model } = bench
  const measured = prompts.map((prompt) => ({ prompt, durations: [] as number[] }))
  // The first round warms up.
  for (let round = 0; round <= rounds; round++) {
    for (const { prompt, durations } of measured) {
      const slot = model.openSlot()
      await read(bench, slot, prompt.past)
      const ms = await timed(() => read(bench, slot, prompt.tokens))
      if (round > 0) durations.push(ms)
      model.closeSlot(slot)
    }
  }
  const results = measured.map(({ prompt, durations }) => ({ ...prompt, ...summary(durations) }))
  return results.map((result) => prefillRow(bench, result, results[0]!))
}

function prefillRow(
  { config, machine }: TextBench,
  { tokens, past, bestMs, medianMs }: Prompt & Measured,
  first: Prompt & Measured,
): BenchRow {
  const gigaflops = (tokens * prefillFlopsPerToken(config)) / bestMs / 1e6
  const perToken = medianMs / tokens / (first.medianMs / first.tokens)
  return {
    name: past === 0 ? `prefill ${tokens}` : `prefill ${tokens} onto ${past}`,
    value: `${((tokens * 1000) / bestMs).toFixed(0)} tok/s (${bestMs.toFixed(0)} ms, median ${medianMs.toFixed(0)})`,
    ratio: `${gigaflops.toFixed(0)} GFLOP/s, ${percent(gigaflops / machine.gigaflops)} of float32; a token takes ${perToken.toFixed(2)} x`,
    data: { tokens, past, bestMs, medianMs, gigaflops, perToken },
  }
}

export function percent(share: number): string {
  return `${(100 * share).toFixed(0)} %`
}
