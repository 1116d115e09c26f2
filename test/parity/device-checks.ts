/**
 * What the device form of the decoder must do, on whatever device: the answers are the golden ones. Plain assertions, since
 * on a software driver they run in a process without the test runner.
 */
import assert from 'node:assert/strict'
import { createEngine } from '../../backend/engine/engine.ts'
import type { EngineEvent, GenerateJob } from '../../backend/engine/job.ts'
import type { Accelerator } from '../../backend/model/accelerator/accelerator.ts'
import type { WeightFormName } from '../../backend/model/convert/weight-forms.ts'
import { loadModel } from '../../backend/model/load-model.ts'
import {
  candidateCount,
  logSumError,
  type Candidates,
  type Model,
} from '../../backend/model/model.ts'
import { allLogits } from '../support/all-logits.ts'
import { candidatesOf } from '../support/candidates-of.ts'
import { createJob, readAnswer } from '../support/jobs.ts'
import { lookAt } from '../support/look-at.ts'
import { largestDifference, statistics } from './differences.ts'
import {
  featureSpans,
  greedy,
  nano,
  readGoldenCases,
  readGoldenImages,
  stopIds,
  type GoldenCase,
} from './golden-cases.ts'
import { Reader, runTogether } from './golden-reader.ts'

export interface DeviceCheck {
  readonly name: string
  readonly weights: WeightFormName
  readonly run: (model: Model, cases: readonly GoldenCase[]) => Promise<void>
}

/** Largest difference of a first logit from the reference; 8 bits may differ by less than test/golden/README.md allows. */
const logitTolerance = { f32: 5e-3, q8: 0.5 } as const

export const deviceChecks: readonly DeviceCheck[] = [
  { name: 'gives the golden answers in float32', weights: 'f32', run: goldenAnswers('f32') },
  { name: 'looks at pictures as the reference does', weights: 'f32', run: looks },
  { name: 'looks at pictures in pieces', weights: 'f32', run: looksInPieces },
  { name: 'answers several prompts at once, in chunks', weights: 'f32', run: together },
  { name: 'lets sequences join and leave between steps', weights: 'f32', run: joinAndLeave },
  { name: 'restores prompts from the prefix cache', weights: 'f32', run: restoresPrefixes },
  { name: 'forks prompts for several choices', weights: 'f32', run: forks },
  { name: 'ends cancelled answers and frees their rows', weights: 'f32', run: cancels },
  { name: 'tells log probabilities', weights: 'f32', run: tellsLogprobs },
  { name: 'finds the largest logits of several rows', weights: 'f32', run: candidates },
  { name: 'looks at pictures alike in 8 bits', weights: 'q8', run: looksAlike },
  { name: 'gives the golden answers in 8 bits', weights: 'q8', run: goldenAnswers('q8') },
]

/** Tokens of the device's cache: enough for the longest check, and small enough that leaks show. */
const cacheTokens = 2048

export function openDeviceModel(
  weights: WeightFormName,
  accelerator: Accelerator,
  modelsDir: string,
  slots = 4,
): Promise<Model> {
  const device = { accelerator, cacheTokens }
  return loadModel({ checkpointDir: nano, modelsDir, weights, slots, threads: 1, device })
}

function goldenAnswers(weights: WeightFormName): DeviceCheck['run'] {
  return async (model, cases) => {
    for (const golden of cases) {
      const { ids, logits } = await greedy(model, golden)
      assert.deepEqual(ids, golden.greedy_ids, golden.id)
      for (const [id, logit] of golden.first_logits_top5) {
        const difference = Math.abs(logits[0]![id]! - logit)
        assert.ok(difference < logitTolerance[weights], `${golden.id}: ${id} is ${difference} off`)
      }
    }
  }
}

/** The golden values of pictures that every decoder decodes alike. */
async function looks(model: Model, cases: readonly GoldenCase[]): Promise<void> {
  for (const golden of lossless(cases)) {
    for (const [i, image] of (await readGoldenImages(golden)).entries()) {
      const features = await lookAt(model, image)
      const { shape, first, last } = golden.projector[i]!
      const [rows, width] = shape
      assert.equal(features.length, rows * width)
      const lastRow = features.subarray((rows - 1) * width)
      for (const [actual, expected] of [
        [features, first[0]!],
        [features.subarray(width), first[1]!],
        [lastRow, last],
      ] as const) {
        assert.ok(largestDifference(actual, expected) < 2e-3, `${golden.id}, picture ${i}`)
      }
    }
  }
}

/** Two pictures under way at a time, in pieces that take turns, beside one that is given up. */
async function looksInPieces(model: Model): Promise<void> {
  const [first, second] = await readGoldenImages(await goldenCase('two-images'))
  const whole = [await lookAt(model, first!), await lookAt(model, second!)]
  const runs = [model.beginImage(first!), model.beginImage(second!)]
  const abandoned = model.beginImage(first!)
  await abandoned.advance(1)
  abandoned.close()
  while (runs.some(({ features }) => features === undefined)) {
    for (const run of runs) if (run.features === undefined) await run.advance(40)
  }
  runs.forEach(({ features }, i) => assert.ok(largestDifference(features!, whole[i]!) < 1e-4))
}

async function looksAlike(model: Model, cases: readonly GoldenCase[]): Promise<void> {
  for (const golden of lossless(cases)) {
    for (const [i, image] of (await readGoldenImages(golden)).entries()) {
      const features = await lookAt(model, image)
      const ratio = statistics(features).std / golden.projector[i]!.std
      assert.ok(Math.abs(ratio - 1) < 0.01, `${golden.id}: ${ratio}`)
    }
  }
}

function lossless(cases: readonly GoldenCase[]): GoldenCase[] {
  return cases.filter(({ images }) => images.every((name) => name.endsWith('.png')))
}

async function together(model: Model): Promise<void> {
  const ids = ['json', 'text-hello', 'two-images', 'text-color']
  const golden = await Promise.all(ids.map(goldenCase))
  const readers: Reader[] = []
  for (const [i, one] of golden.entries()) {
    readers.push(new Reader(model, one, await featureSpans(model, one), [64, 5, 1, 9][i]!))
  }
  await runTogether(model, readers)
  readers.forEach((reader, i) => assert.deepEqual(reader.ids, golden[i]!.greedy_ids, ids[i]))
}

/** In one step as many rows as take part, which are read one by one afterwards. */
async function candidates(model: Model, cases: readonly GoldenCase[]): Promise<void> {
  const slots = cases.slice(0, model.info.slots).map(() => model.openSlot())
  const step = await model.step(
    slots.map((slot, i) => {
      const tokenIds = Int32Array.from(cases[i]!.prompt_ids.slice(0, 9 + i))
      return { slot, tokenIds, features: [], sample: true }
    }),
  )
  for (const next of step.toReversed()) {
    const found = next.candidates!
    const expected = candidatesOf(await next.row(), candidateCount)
    assert.deepEqual(found.logits, expected.logits)
    assert.ok(Math.abs(found.logSum - expected.logSum) < logSumError, `${found.logSum}`)
    const floor = expected.logits.at(-1)!
    const above = (of: Candidates) => new Set(of.ids.filter((_, i) => of.logits[i]! > floor))
    assert.deepEqual(above(found), above(expected))
  }
  for (const slot of slots) model.closeSlot(slot)
}

/** Golden cases in all slots; another one begins in every third step while a slot is free. */
export async function joinAndLeave(model: Model, cases: readonly GoldenCase[]): Promise<void> {
  const waiting = cases.filter(({ finish_reason }) => finish_reason === 'stop')
  let running: { golden: GoldenCase; reader: Reader }[] = []
  for (let step = 0; waiting.length + running.length > 0; step++) {
    if (running.length < model.info.slots && step % 3 === 0) {
      const golden = waiting.shift()
      if (golden !== undefined) {
        const reader = new Reader(model, golden, await featureSpans(model, golden), 11)
        running.push({ golden, reader })
      }
    }
    if (running.length === 0) continue
    const rows = running.map(({ reader }) => reader.next())
    const logits = await allLogits(model.step(rows))
    const sampling = running.filter((_, i) => rows[i]!.sample)
    sampling.forEach(({ reader }, i) => reader.take(logits[i]!))
    for (const { golden, reader } of running.filter((one) => one.reader.ended)) {
      assert.deepEqual(reader.ids, golden.greedy_ids, golden.id)
    }
    running = running.filter(({ reader }) => !reader.ended)
  }
}

async function restoresPrefixes(model: Model): Promise<void> {
  const caches = { kvTokens: cacheTokens, prefixTokens: Infinity }
  const engine = createEngine({ model, queueLimit: 9, caches })
  const golden = await goldenCase('describe-g06')
  const job = await jobOf(golden)
  const first = await readAnswer(engine.generate({ ...job, id: 'first' }, never))
  const again = await readAnswer(engine.generate({ ...job, id: 'again' }, never))
  assert.deepEqual([first.ids, again.ids], [golden.greedy_ids, golden.greedy_ids])
  assert.equal(first.end.cachedTokens, 0)
  assert.equal(again.end.cachedTokens, Math.floor((golden.prompt_ids.length - 1) / 32) * 32)
  await engine.close()
}

async function forks(model: Model): Promise<void> {
  const engine = createEngine({ model, queueLimit: 9 })
  const golden = await goldenCase('text-story')
  const job = { ...(await jobOf(golden)), choices: 3 }
  const ids: number[][] = [[], [], []]
  for await (const event of engine.generate(job, never)) {
    if (event.type === 'tokens') ids[event.choice]!.push(...event.ids)
  }
  assert.deepEqual(ids, [golden.greedy_ids, golden.greedy_ids, golden.greedy_ids])
  await engine.close()
}

async function cancels(model: Model): Promise<void> {
  const engine = createEngine({ model, queueLimit: 9 })
  const golden = await goldenCase('text-story')
  const cancel = new AbortController()
  const events = engine.generate(await jobOf(golden), cancel.signal)
  await assert.rejects(async () => {
    for await (const event of events) if (event.type === 'tokens') cancel.abort()
  })
  const other = await goldenCase('text-hello')
  const { ids } = await readAnswer(engine.generate(await jobOf(other), never))
  assert.deepEqual(ids, other.greedy_ids)
  assert.equal(engine.snapshot().memory.slotTokens, 0)
  await engine.close()
  const slots = Array.from({ length: 8 }, () => model.openSlot())
  for (const slot of slots) model.closeSlot(slot)
}

async function tellsLogprobs(model: Model): Promise<void> {
  const engine = createEngine({ model, queueLimit: 9 })
  const golden = await goldenCase('text-hello')
  const told: number[] = []
  const job = { ...(await jobOf(golden)), topLogprobs: 3 }
  for await (const event of engine.generate(job, never)) told.push(...logprobsOf(event))
  golden.logprobs.forEach((logprob, i) => assert.ok(Math.abs(told[i]! - logprob) < 2e-3, `${i}`))
  await engine.close()
}

function logprobsOf(event: EngineEvent): number[] {
  if (event.type !== 'tokens') return []
  return (event.logprobs ?? []).map(({ logprob }) => logprob)
}

const never = new AbortController().signal

async function goldenCase(id: string): Promise<GoldenCase> {
  return (await readGoldenCases()).find((golden) => golden.id === id)!
}

async function jobOf(golden: GoldenCase): Promise<GenerateJob> {
  return createJob({
    promptIds: Int32Array.from(golden.prompt_ids),
    images: await readGoldenImages(golden),
    maxTokens: golden.greedy_ids.length,
    stopIds,
    controlIdsFrom: 1024,
  })
}
