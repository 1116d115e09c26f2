/**
 * What the device form of the decoder must do, on whatever device: the answers are the golden ones. Plain assertions, since
 * on a software driver they run in a process without the test runner.
 */
import assert from 'node:assert/strict'
import { createEngine } from '../../backend/engine/engine.ts'
import type { EngineEvent, GenerateJob } from '../../backend/engine/job.ts'
import type { WeightFormName } from '../../backend/model/convert/graphs/weight-forms.ts'
import type { Model } from '../../backend/model/model.ts'
import { allLogits } from '../support/model/all-logits.ts'
import { createJob, readAnswer } from '../support/inference/jobs.ts'
import { companyTolerance, inAnyCompany } from './device-company.ts'
import { keepsFeatures, looks, looksAlike, looksInPieces } from './device-looks.ts'
import { cacheTokens, type DeviceModel } from './device-models.ts'
import { readsLongPieces } from './device-pieces.ts'
import { candidates, drawsAlike } from './device-sampling.ts'
import {
  featureSpans,
  greedy,
  readGoldenCases,
  readGoldenImages,
  stopIds,
  type GoldenCase,
} from './golden-cases.ts'
import { Reader, runTogether } from './golden-reader.ts'
import { verifiesDrafts } from './drafted-tokens.ts'

export interface DeviceCheck {
  readonly name: string
  readonly model: DeviceModel
  readonly run: (model: Model, cases: readonly GoldenCase[]) => Promise<void>
}

/** Largest difference of a first logit from the reference; 8 bits may differ by less than test/golden/README.md allows. */
const logitTolerance = { f32: 5e-3, q8: 0.5 } as const

export const deviceChecks: readonly DeviceCheck[] = [
  { name: 'gives the golden answers in float32', model: 'f32', run: goldenAnswers('f32') },
  { name: 'looks at pictures as the reference does', model: 'f32', run: looks },
  { name: 'looks at pictures in pieces', model: 'f32', run: looksInPieces },
  { name: 'keeps features where there is room', model: 'f32', run: keepsFeatures },
  { name: 'answers several prompts at once, in chunks', model: 'f32', run: together },
  { name: 'lets sequences join and leave between steps', model: 'f32', run: joinAndLeave },
  { name: 'gives the logits before each token of a draft', model: 'f32', run: drafts },
  { name: 'restores prompts from the prefix cache', model: 'f32', run: restoresPrefixes },
  { name: 'forks prompts for several choices', model: 'f32', run: forks },
  { name: 'ends cancelled answers and frees their rows', model: 'f32', run: cancels },
  { name: 'tells log probabilities', model: 'f32', run: tellsLogprobs },
  { name: 'finds the largest logits of several rows', model: 'f32', run: candidates },
  { name: 'draws from these as from all', model: 'f32', run: drawsAlike },
  { name: 'looks at pictures alike in 8 bits', model: 'q8', run: looksAlike },
  { name: 'gives the golden answers in 8 bits', model: 'q8', run: goldenAnswers('q8') },
  ...(['outliers-16', 'outliers-1024'] as const).flatMap((model): DeviceCheck[] => [
    { name: `gives them with ${model}, one by one`, model, run: goldenAnswers('q8') },
    { name: `gives them with ${model}, several at once`, model, run: together },
    { name: `gives logits with ${model} in any company`, model, run: inAnyCompany },
    {
      name: `gives those of a draft with ${model}`,
      model,
      run: (one) => draftsWithin(one, companyTolerance),
    },
  ]),
  { name: 'gives them after layers on the CPU', model: 'divided', run: goldenAnswers('f32') },
  { name: 'lets sequences join and leave there', model: 'divided', run: joinAndLeave },
  { name: 'reads long pieces of prompts as short ones', model: 'wide', run: readsLongPieces },
]

export function goldenAnswers(weights: WeightFormName): DeviceCheck['run'] {
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

export async function together(model: Model): Promise<void> {
  const ids = ['json', 'text-hello', 'two-images', 'text-color']
  const golden = await Promise.all(ids.map(goldenCase))
  const readers: Reader[] = []
  for (const [i, one] of golden.entries()) {
    readers.push(new Reader(model, one, await featureSpans(model, one), [64, 5, 1, 9][i]!))
  }
  await runTogether(model, readers)
  readers.forEach((reader, i) => assert.deepEqual(reader.ids, golden[i]!.greedy_ids, ids[i]))
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

export function drafts(model: Model): Promise<void> {
  return draftsWithin(model, 1e-4)
}

async function draftsWithin(model: Model, tolerance: number): Promise<void> {
  await verifiesDrafts(model, await goldenCase('text-story'), tolerance)
}

export async function restoresPrefixes(model: Model): Promise<void> {
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

export async function forks(model: Model): Promise<void> {
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

export async function cancels(model: Model): Promise<void> {
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

export async function tellsLogprobs(model: Model): Promise<void> {
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
