import { setTimeout as sleep } from 'node:timers/promises'
import { createEngine } from '../../backend/engine/engine.ts'
import type { Engine, EngineEvent, GenerateJob } from '../../backend/engine/job.ts'
import type { Model, PatchImage, SlotId } from '../../backend/model/model.ts'
import { timed, type BenchRow } from './measure.ts'
import { percent } from './text.ts'

let jobs = 0

function job(prompt: number, maxTokens: number, images: readonly PatchImage[] = []): GenerateJob {
  jobs += 1
  return {
    id: `bench-${jobs}`,
    tenant: 'bench',
    priority: 'interactive',
    promptIds: Int32Array.from({ length: prompt }, () => Math.floor(Math.random() * 100_000)),
    images,
    maxTokens,
    stopIds: [],
    controlIdsFrom: 163_584,
    sampling: { temperature: 0, topP: 1, seed: 1 },
  }
}

/** Arrival times of a stream's tokens, in milliseconds. */
async function tokenTimes(events: AsyncIterable<EngineEvent>): Promise<number[]> {
  const times: number[] = []
  for await (const event of events) if (event.type === 'tokens') times.push(performance.now())
  return times
}

/** The same for a stream that continues until `leave` fires. @throws {Error} when it ends by itself first */
async function tokenTimesUntil(engine: Engine, leave: AbortSignal): Promise<number[]> {
  const times: number[] = []
  try {
    for await (const event of engine.generate(job(40, mostStreamed), leave)) {
      if (event.type === 'tokens') times.push(performance.now())
    }
  } catch (error) {
    if (leave.aborted) return times
    throw error
  }
  throw new Error('A stream ended before the work it was to run beside')
}

const never = () => new AbortController().signal

/** One token about an image with a short question around it. Images of different shades are different images. */
function imageJob(model: Model, gridHw: readonly [number, number], shade: number): GenerateJob {
  const { mergeSize, patchSize, imageTokenId } = model.info
  const patchCount = gridHw[0] * gridHw[1]
  const patches = new Uint8Array(patchCount * 3 * patchSize ** 2).fill(shade)
  const base = job(30, 1, [{ patches, gridHw }])
  const pads = new Int32Array(patchCount / mergeSize ** 2).fill(imageTokenId)
  const ids = [...base.promptIds.subarray(0, 15), ...pads, ...base.promptIds.subarray(15)]
  return { ...base, promptIds: Int32Array.from(ids) }
}

/** Time to the first token of one image with a short question, compared with the sum of its parts. */
export async function benchFirstToken(
  model: Model,
  gridHw: readonly [number, number],
): Promise<BenchRow> {
  const engine = createEngine({ model, queueLimit: 8 })
  await tokenTimes(engine.generate(imageJob(model, gridHw, 1), never()))
  const start = performance.now()
  let parts = 0
  let firstMs = 0
  for await (const event of engine.generate(imageJob(model, gridHw, 2), never())) {
    if (event.type === 'tokens') firstMs = performance.now() - start
    if (event.type === 'end') parts = event.timings.visionMs + event.timings.prefillMs
  }
  await engine.close()
  return {
    name: `first token of an image of ${gridHw[0]} x ${gridHw[1]} patches, this model's layers`,
    value: `${firstMs.toFixed(0)} ms`,
    ratio: `${percent(firstMs / parts)} of vision + prefill`,
    data: { firstMs, parts },
  }
}

/** Median and tail of gaps, in milliseconds. */
interface Quantiles {
  readonly p50: number
  readonly p99: number
}

interface StreamGaps {
  /** Duration of the disturbance, from submission to completion. */
  readonly ms: number
  readonly alone: Quantiles
  readonly during: Quantiles
}

/** Tokens of a stream: more than can arrive during any measurement. */
const mostStreamed = 8_000

/** How long streams run alone before and after a disturbance: enough for a 99th percentile, and to see drift. */
const aloneMs = 8_000

/** Gaps of two streams, with and without `disturb` running. */
async function gapsBeside(model: Model, disturb: GenerateJob): Promise<StreamGaps> {
  const engine = createEngine({ model, queueLimit: 8 })
  const done = new AbortController()
  const streams = [1, 2].map(() => tokenTimesUntil(engine, done.signal))
  await sleep(aloneMs)
  const from = performance.now()
  const [until] = await tokenTimes(engine.generate(disturb, never()))
  await sleep(aloneMs)
  done.abort()
  const gaps = (await Promise.all(streams)).flatMap((times) =>
    times.slice(1).map((time, i) => ({ at: time, ms: time - times[i]! })),
  )
  await engine.close()
  const isDuring = ({ at }: { at: number }) => at > from && at < until!
  return {
    ms: until! - from,
    alone: quantiles(gaps.filter((gap) => !isDuring(gap))),
    during: quantiles(gaps.filter(isDuring)),
  }
}

function quantiles(gaps: readonly { readonly ms: number }[]): Quantiles {
  const sorted = gaps.map(({ ms }) => ms).toSorted((a, b) => a - b)
  const at = (q: number) => sorted[Math.floor(sorted.length * q)] ?? Number.NaN
  return { p50: at(0.5), p99: at(0.99) }
}

function gapsRow(
  name: string,
  { alone, during, ms }: StreamGaps,
  readingAloneMs: number,
): BenchRow {
  const format = ({ p50, p99 }: Quantiles) => `${p50.toFixed(0)}, ${p99.toFixed(0)} ms`
  const times = (value: number, of: number) => `${(value / of).toFixed(2)} x`
  return {
    name,
    value: `p50, p99: ${format(during)}; alone ${format(alone)}`,
    ratio: `p50 ${times(during.p50, alone.p50)}, p99 ${times(during.p99, alone.p99)}, ${times(during.p99, alone.p50)} the p50 alone; it takes ${times(ms, readingAloneMs)} as long as alone`,
    data: {
      p50: during.p50,
      p99: during.p99,
      aloneP50: alone.p50,
      aloneP99: alone.p99,
      ms,
      readingAloneMs,
    },
  }
}

/** Tokens of each request, as they are usual. */
const usualRequest = { prompt: 256, answer: 64 }

/** Callers that all arrive at once, each with a prompt of its own. */
export async function benchCallers(
  model: Model,
  callers: number,
  { prompt, answer } = usualRequest,
): Promise<BenchRow> {
  const engine = createEngine({ model, queueLimit: callers })
  const start = performance.now()
  const streams = Array.from({ length: callers }, () =>
    tokenTimes(engine.generate(job(prompt, answer), never())),
  )
  const firstMs = (await Promise.all(streams)).map(([first]) => first! - start)
  const seconds = (performance.now() - start) / 1000
  await engine.close()
  const perSecond = (callers * answer) / seconds
  const meanFirstMs = firstMs.reduce((sum, ms) => sum + ms, 0) / callers
  return {
    name: `${callers} callers at once, ${prompt} tokens in, ${answer} out`,
    value: `${perSecond.toFixed(1)} tok/s, first token after ${(meanFirstMs / 1000).toFixed(1)} s`,
    ratio: '',
    data: { perSecond, meanFirstMs },
  }
}

/** While a prompt of `prompt` tokens is prefilled; also how much longer the prefill takes than alone. */
export async function benchMixedLoad(model: Model, prompt: number): Promise<BenchRow> {
  const engine = createEngine({ model, queueLimit: 8 })
  const alone = await timed(() => tokenTimes(engine.generate(job(prompt, 1), never())))
  await engine.close()
  const gaps = await gapsBeside(model, job(prompt, 1))
  return gapsRow(`gap of 2 streams while ${prompt} tokens are read`, gaps, alone)
}

/** While the vision tower processes an image; also how much longer that takes than alone, its prompt included. */
export async function benchVisionBeside(
  model: Model,
  gridHw: readonly [number, number],
): Promise<BenchRow> {
  const engine = createEngine({ model, queueLimit: 8 })
  const alone = await timed(() => tokenTimes(engine.generate(imageJob(model, gridHw, 3), never())))
  await engine.close()
  const gaps = await gapsBeside(model, imageJob(model, gridHw, 4))
  const name = `gap of 2 streams while ${gridHw[0] * gridHw[1]} patches are looked at`
  return gapsRow(name, gaps, alone)
}

/** The engine's own work per step: a model that answers at once, with a vocabulary of the real size. */
export async function benchEngineOverhead(stepMs: number): Promise<BenchRow> {
  const steps = 400
  const engine = createEngine({ model: instantModel(), queueLimit: 8 })
  await tokenTimes(engine.generate(job(10, steps), never()))
  const start = process.cpuUsage()
  await tokenTimes(engine.generate(job(10, steps), never()))
  const { user, system } = process.cpuUsage(start)
  await engine.close()
  const perStepMs = (user + system) / 1000 / steps
  return {
    name: 'engine work per step, greedy sampling of 163,840 logits included',
    value: `${(perStepMs * 1000).toFixed(0)} µs`,
    ratio: `${percent(perStepMs / stepMs)} of a decode step`,
    data: { perStepMs },
  }
}

function instantModel(): Model {
  const logits = Float32Array.from({ length: 163_840 }, (_, i) => (i * 7919) % 101)
  const lengths = new Map<SlotId, number>()
  const unused = () => {
    throw new Error('Not part of this benchmark')
  }
  return {
    info: {
      vocabSize: 163_840,
      hiddenSize: 2048,
      contextTokens: 131_072,
      slots: 4,
      patchSize: 14,
      mergeSize: 2,
      imageTokenId: 163_605,
      cacheBytesPerToken: 9216,
      slotGrowthTokens: 256,
      cacheTokens: undefined,
    },
    beginImage: unused,
    openSlot() {
      const slot = lengths.size as SlotId
      lengths.set(slot, 0)
      return slot
    },
    closeSlot: (slot) => void lengths.delete(slot),
    forkSlot: unused,
    truncateSlot: unused,
    slotLength: (slot) => lengths.get(slot)!,
    keepRows: unused,
    restoreRows: unused,
    dropRows: unused,
    step(rows) {
      for (const { slot, tokenIds } of rows) lengths.set(slot, lengths.get(slot)! + tokenIds.length)
      const next = { candidates: undefined, row: () => Promise.resolve(logits) }
      return Promise.resolve(rows.filter(({ sample }) => sample).map(() => next))
    },
    close: () => Promise.resolve(),
  }
}
