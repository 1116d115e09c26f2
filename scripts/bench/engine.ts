import { createEngine } from '../../backend/engine/engine.ts'
import type { EngineEvent, GenerateJob } from '../../backend/engine/job.ts'
import type { Model, PatchImage, SlotId } from '../../backend/model/model.ts'
import type { BenchRow } from './measure.ts'
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

/** Times of a stream's tokens, in milliseconds. */
async function tokenTimes(events: AsyncIterable<EngineEvent>): Promise<number[]> {
  const times: number[] = []
  for await (const event of events) if (event.type === 'tokens') times.push(performance.now())
  return times
}

const never = () => new AbortController().signal

/** Time to the first token of one image with a short question, against the sum of its parts. */
export async function benchFirstToken(
  model: Model,
  gridHw: readonly [number, number],
): Promise<BenchRow> {
  const imageTokens = (gridHw[0] * gridHw[1]) / model.info.mergeSize ** 2
  const patches = new Uint8Array(gridHw[0] * gridHw[1] * 3 * model.info.patchSize ** 2).fill(90)
  const asked = (seed: number): GenerateJob => {
    const image = { patches: patches.slice().fill(seed), gridHw }
    const base = job(30, 1, [image])
    const pads = new Int32Array(imageTokens).fill(model.info.imageTokenId)
    return {
      ...base,
      promptIds: Int32Array.from([
        ...base.promptIds.subarray(0, 15),
        ...pads,
        ...base.promptIds.subarray(15),
      ]),
    }
  }
  const engine = createEngine({ model, queueLimit: 8 })
  await tokenTimes(engine.generate(asked(1), never()))
  const start = performance.now()
  let parts = 0
  let firstMs = 0
  for await (const event of engine.generate(asked(2), never())) {
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

/** Gaps of two running streams, alone and while a prompt of `prompt` tokens is read. */
export async function benchMixedLoad(model: Model, prompt: number): Promise<BenchRow> {
  const engine = createEngine({ model, queueLimit: 8 })
  const streams = [job(40, 100), job(40, 100)].map((each) =>
    tokenTimes(engine.generate(each, never())),
  )
  await new Promise((resolve) => setTimeout(resolve, 1500))
  const readFrom = performance.now()
  const [readUntil] = await tokenTimes(engine.generate(job(prompt, 1), never()))
  const gaps = (await Promise.all(streams)).map((times) =>
    times.slice(1).map((time, i) => ({ at: time, ms: time - times[i]! })),
  )
  await engine.close()
  const during = gaps.flat().filter(({ at }) => at > readFrom && at < readUntil!)
  const alone = gaps.flat().filter(({ at }) => at < readFrom)
  const quantile = (values: typeof alone, q: number) =>
    values.map(({ ms }) => ms).toSorted((a, b) => a - b)[Math.floor(values.length * q)] ??
    Number.NaN
  const [normal, p50, p99] = [quantile(alone, 0.5), quantile(during, 0.5), quantile(during, 0.99)]
  return {
    name: `gap of 2 streams while ${prompt} tokens are read`,
    value: `p50 ${p50.toFixed(0)} ms, p99 ${p99.toFixed(0)} ms; alone ${normal.toFixed(0)} ms`,
    ratio: `${(p50 / normal).toFixed(2)} x, p99 ${(p99 / normal).toFixed(2)} x`,
    data: { normal, p50, p99, readMs: readUntil! - readFrom },
  }
}

/** The engine's own work per step: a model that answers at once, and a vocabulary of the real size. */
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
    throw new Error('not part of this benchmark')
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
    },
    encodeImage: unused,
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
      return Promise.resolve(rows.filter(({ sample }) => sample).map(() => logits))
    },
    close: () => Promise.resolve(),
  }
}
