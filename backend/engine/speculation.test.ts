import { setImmediate as nextImmediate } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { FakeModel, type FakeModelHooks } from '../../test/support/inference/fake-model.ts'
import { objectOf } from '../../test/support/grammar/grammar-schemas.ts'
import { createJob, imagePrompt } from '../../test/support/inference/jobs.ts'
import { compileGrammar } from '../grammar/compile/compile-grammar.ts'
import { Vocabulary } from '../grammar/masks/vocabulary.ts'
import { readTokenizerFile } from '../model/config/tokenizer-file.ts'
import type { ModelInfo } from '../model/model.ts'
import { createEngine } from './engine.ts'
import type { CacheLimits } from './memory/cache-limits.ts'
import type { Engine, EngineEvent, GenerateJob, SampledLogprobs } from './job.ts'

const never = new AbortController().signal

/** A text that goes round through 16 tokens, more or less often as `strength` and the temperature have it. */
const round =
  (strength: number): NonNullable<FakeModelHooks['editLogits']> =>
  (_row, logits, last) =>
    (logits[(5 * last + 1) % 16]! += strength)

/** Any text of these few tokens, in which each pair has been there before, and no token follows from it. */
const noise: NonNullable<FakeModelHooks['editLogits']> = (_row, logits) => {
  for (let id = 0; id < 8; id++) logits[id]! += 20
}

interface Setup {
  readonly speculates?: boolean
  readonly info?: Partial<ModelInfo>
  readonly hooks?: FakeModelHooks
  readonly vocabulary?: Vocabulary
  readonly now?: () => number
  readonly caches?: CacheLimits
}

function start({ speculates = true, info, hooks, vocabulary, now = () => 0, caches = {} }: Setup) {
  const model = new FakeModel({ contextTokens: 4_096, ...info }, hooks)
  const options = { queueLimit: 64, caches, vocabulary, now }
  return { model, engine: createEngine({ model, speculates, ...options }) }
}

/** All that a reader of the events can tell apart, choice by choice. */
async function read(engine: Engine, job: GenerateJob) {
  const ids: number[][] = []
  const logprobs: SampledLogprobs[][] = []
  let end: Extract<EngineEvent, { type: 'end' }> | undefined
  for await (const event of engine.generate(job, never)) {
    if (event.type === 'end') end = event
    if (event.type !== 'tokens') continue
    ;(ids[event.choice] ??= []).push(...event.ids)
    ;(logprobs[event.choice] ??= []).push(...(event.logprobs ?? []))
  }
  const { finishReasons, completionTokens, cachedTokens } = end!
  return { ids, logprobs, finishReasons, completionTokens, cachedTokens }
}

async function settle(engine: Engine): Promise<void> {
  while (engine.snapshot().slotsInUse > 0) await nextImmediate()
}

/** Jobs of many kinds, lengths and rules. */
function mixedJobs(): GenerateJob[] {
  const repeated = Int32Array.from({ length: 40 }, (_, at) => (at * 5 + 1) % 9)
  const rules: Partial<GenerateJob>[] = [
    {},
    { sampling: { temperature: 1, seed: 7 } },
    { sampling: { temperature: 0.8, topP: 0.9, seed: 8 }, topLogprobs: 3 },
    { sampling: { temperature: 1.2, topK: 5, minP: 0.02, seed: 9 } },
    { sampling: { temperature: 0, repetitionPenalty: 1.05, seed: 0 }, topLogprobs: 0 },
    { sampling: { temperature: 0.9, presencePenalty: 0.4, frequencyPenalty: 0.1, seed: 1 } },
    { sampling: { temperature: 0.7, logitBias: [[5, 1.5]], seed: 2 } },
    { choices: 3, sampling: { temperature: 1, seed: 20 } },
  ]
  const prompts: Partial<GenerateJob>[] = [
    { maxTokens: 60 },
    { promptIds: repeated, maxTokens: 37 },
    { ...imagePrompt([4, 4], [2, 6]), maxTokens: 25 },
    { promptIds: Int32Array.of(5), maxTokens: 1 },
    { maxTokens: 9, stopIds: [13, 56] },
    { maxTokens: 200, grantedTokens: 150 },
  ]
  return prompts.flatMap((prompt) => rules.map((rule) => createJob({ ...prompt, ...rule })))
}

/** Each as the first of an engine of its own. */
async function plainly(jobs: readonly GenerateJob[], setup: Setup) {
  const answers = []
  for (const job of jobs) {
    const { engine } = start({ ...setup, speculates: false })
    answers.push(await read(engine, job))
  }
  return answers
}

describe('answers with drafts', () => {
  it.each([
    ['whole rows', undefined],
    ['candidates', 24],
  ])('are those without, from %s, joining and leaving at any step', async (_, candidates) => {
    const jobs = mixedJobs()
    const editLogits = round(7)
    const hooks = candidates === undefined ? { editLogits } : { editLogits, candidates }
    const setup = { hooks }
    const expected = await plainly(jobs, setup)
    const { engine, model } = start(setup)
    let ended = 0
    const answers = jobs.map(async (job, index) => {
      const reached = () => engine.snapshot().steps >= index * 12 || ended >= index
      while (!reached()) await nextImmediate()
      return read(engine, job).finally(() => (ended += 1))
    })
    expect(await Promise.all(answers)).toEqual(expected)
    const { draftedTokens, acceptedTokens } = engine.snapshot().speculation
    expect(acceptedTokens).toBeGreaterThan(200)
    expect(draftedTokens - acceptedTokens).toBeGreaterThan(200)
    await settle(engine)
    expect([model.openSlots, engine.snapshot().memory.slotTokens]).toEqual([0, 0])
  })

  it('are those without where a grammar holds them', async () => {
    const { tokenBytes, vocabSize } = await readTokenizerFile('models/kimi-vl-nano')
    const vocabulary = new Vocabulary(tokenBytes, vocabSize)
    const item = objectOf({ colour: { enum: ['red', 'green'] }, sides: { type: 'integer' } })
    const schema = { type: 'array', minItems: 4, maxItems: 6, items: item }
    const format = compileGrammar({ type: 'json_schema', schema: JSON.stringify(schema) })
    const jobs = Array.from({ length: 8 }, (_, seed) =>
      createJob({
        format,
        promptIds: Int32Array.of(7, 8, 9),
        stopIds: [1025],
        controlIdsFrom: 1024,
        maxTokens: seed < 6 ? 160 : 40,
        topLogprobs: seed % 3 === 0 ? 2 : undefined,
        sampling: { temperature: seed % 4 === 3 ? 0 : 0.8, seed },
      }),
    )
    const setup = { info: { vocabSize, imageTokenId: vocabSize - 1 }, vocabulary }
    const { engine } = start(setup)
    expect(await Promise.all(jobs.map((job) => read(engine, job)))).toEqual(
      await plainly(jobs, setup),
    )
    expect(engine.snapshot().speculation.acceptedTokens).toBeGreaterThan(50)
  })

  it('end at the last token of the context, and where memory is short', async () => {
    const setup = { info: { contextTokens: 48 }, hooks: { editLogits: round(20) } }
    const jobs = [1, 2, 3].map((seed) =>
      createJob({ maxTokens: 500, sampling: { temperature: 0, seed } }),
    )
    const caches = { kvTokens: 64 }
    const { engine } = start({ ...setup, caches })
    const answers = await Promise.all(jobs.map((job) => read(engine, job)))
    expect(answers).toEqual(await plainly(jobs, setup))
    expect(answers[0]).toMatchObject({ completionTokens: 45, finishReasons: ['length'] })
  })

  it('are kept for prompts that go on from there', async () => {
    const first = createJob({ maxTokens: 100 })
    const follow = async (speculates: boolean) => {
      const model = new FakeModel({ contextTokens: 4_096 }, { editLogits: round(20) })
      const caches = { kvTokens: 4_096, prefixTokens: 4_096 }
      const engine = createEngine({ model, queueLimit: 9, speculates, caches, now: () => 0 })
      const { ids } = await read(engine, { ...first, id: `first-${speculates}` })
      const promptIds = Int32Array.of(...first.promptIds, ...ids[0]!, 3, 4)
      return read(engine, createJob({ promptIds, maxTokens: 20 }))
    }
    const [drafted, plain] = [await follow(true), await follow(false)]
    expect(drafted).toEqual(plain)
    expect(drafted.cachedTokens).toBeGreaterThan(64)
  })

  it('stop where their reader says, whatever else came along', async () => {
    const job = createJob({ maxTokens: 400 })
    const setup = { hooks: { editLogits: round(20) } }
    const [whole] = await plainly([job], setup)
    const { engine, model } = start(setup)
    const ids: number[] = []
    const reasons: string[] = []
    const generation = engine.generate(job, never)
    for await (const event of generation) {
      if (event.type === 'tokens') ids.push(...event.ids)
      if (ids.length > 30) generation.stop(0)
      if (event.type === 'end') reasons.push(...event.finishReasons)
    }
    expect(reasons).toEqual(['stop'])
    expect(ids).toEqual(whole!.ids[0]!.slice(0, ids.length))
    expect(ids.length).toBeLessThan(100)
    await settle(engine)
    expect(model.openSlots).toBe(0)
  })

  it('may be left in the middle of a draft, beside others', async () => {
    const cancel = new AbortController()
    let rows = 0
    const hooks: FakeModelHooks = { editLogits: round(20), candidates: 1, onRow: () => (rows += 1) }
    const sampling = { temperature: 1, topLogprobs: 1, seed: 3 }
    const jobs = [createJob({ maxTokens: 80, sampling }), createJob({ maxTokens: 80, sampling })]
    const [, expected] = await plainly(jobs, { hooks: { editLogits: round(20) } })
    const { engine, model } = start({ hooks })
    let leftIn: number | undefined
    model.hooks.onRow = () => {
      rows += 1
      // The second row of a step's draft, of the first of its streams.
      const { steps } = model
      const drafted = steps.at(-1)![0]!.drafted ?? 0
      if (leftIn === undefined && drafted > 2 && rows % 7 === 0) {
        leftIn = steps.length
        cancel.abort()
      }
    }
    const left = (async () => {
      for await (const _ of engine.generate(jobs[0]!, cancel.signal));
    })()
    const other = read(engine, jobs[1]!)
    await expect(left).rejects.toMatchObject({ code: 'cancelled' })
    expect(await other).toEqual(expected)
    expect(leftIn).toBeDefined()
    await settle(engine)
    expect([model.openSlots, engine.snapshot().memory.slotTokens]).toEqual([0, 0])
  })
})

describe('steps with drafts', () => {
  it('are few for a text that repeats itself, and never as many as tokens', async () => {
    const job = createJob({ maxTokens: 400 })
    const { engine, model } = start({ hooks: { editLogits: round(20) } })
    const { completionTokens } = await read(engine, job)
    expect(completionTokens).toBe(400)
    expect(model.steps.length).toBeLessThan(400 / 6)
    const { draftedTokens, acceptedTokens } = engine.snapshot().speculation
    expect(acceptedTokens / draftedTokens).toBeGreaterThan(0.95)
    expect(engine.snapshot().phases.decode.count).toBe(model.steps.length - 1)
  })

  it('have 8 rows at most, and none where there are 8 streams or a prompt is read', async () => {
    const { engine, model } = start({
      info: { slots: 8 },
      hooks: { editLogits: round(20) },
    })
    const jobs = Array.from({ length: 8 }, (_, i) => createJob({ maxTokens: 40 + 30 * i }))
    await Promise.all(jobs.map((job) => read(engine, job)))
    for (const rows of model.steps) {
      const all = rows.reduce((sum, { drafted = 0 }) => sum + drafted, 0)
      const reads = rows.some(({ tokenIds, drafted = 0 }) => tokenIds.length > 1 + drafted)
      expect(all).toBeLessThanOrEqual(reads ? 0 : 8 - rows.length)
    }
    expect(model.steps.some((rows) => rows.some(({ drafted = 0 }) => drafted > 0))).toBe(true)
  })

  it('end where drafts do not pay, and are tried again now and then', async () => {
    const clock = { ms: 0 }
    const hooks: FakeModelHooks = {
      editLogits: noise,
      onStep: (rows) => {
        const tokens = rows.reduce((sum, row) => sum + row.tokenIds.length, 0)
        clock.ms += 10 + 3 * (tokens - 1)
      },
    }
    const { engine, model } = start({ hooks, now: () => clock.ms })
    const job = createJob({ maxTokens: 1_000, sampling: { temperature: 1, seed: 4 } })
    const { ids } = await read(engine, job)
    expect(ids).toEqual((await plainly([job], { hooks: { editLogits: noise } }))[0]!.ids)
    const drafts = model.steps.slice(200).filter(([row]) => (row!.drafted ?? 0) > 0)
    expect(drafts.length).toBeGreaterThan(0)
    expect(drafts.length).toBeLessThan(20)
    const ofFirst = engine.snapshot().speculation.draftedTokens
    await read(engine, { ...job, id: 'again' })
    expect(engine.snapshot().speculation.draftedTokens - ofFirst).toBeLessThan(ofFirst)
  })

  it('have none where each row costs as much as a step', async () => {
    const clock = { ms: 0 }
    const hooks: FakeModelHooks = {
      editLogits: round(20),
      onStep: ([row]) => {
        clock.ms += row!.tokenIds.length
      },
    }
    const { engine, model } = start({ hooks, now: () => clock.ms })
    await read(engine, createJob({ maxTokens: 1_000 }))
    const drafts = model.steps.filter(([row]) => (row!.drafted ?? 0) > 0)
    expect(drafts.length).toBeLessThan(20)
  })
})

describe('createEngine()', () => {
  it('drafts nothing unless it is to', async () => {
    const { engine, model } = start({ speculates: false, hooks: { editLogits: round(20) } })
    await read(engine, createJob({ maxTokens: 50 }))
    expect(engine.snapshot().speculation).toEqual({ draftedTokens: 0, acceptedTokens: 0 })
    expect(model.steps.length).toBe(50)
  })

  it('refuses to in the deterministic mode', () => {
    const model = new FakeModel()
    const options = { model, queueLimit: 1, speculates: true, deterministic: true }
    expect(() => createEngine(options)).toThrow(/deterministic/)
  })
})
