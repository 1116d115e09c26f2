import { setImmediate as nextImmediate } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { FakeModel } from '../../test/support/inference/fake-model.ts'
import { createJob, imagePrompt } from '../../test/support/inference/jobs.ts'
import { createEngine } from './engine.ts'
import type { Engine, EngineEvent, GenerateJob } from './job.ts'

const never = new AbortController().signal
const sampling = { temperature: 1, topP: 0.95, seed: 40 }

function start(slots = 4) {
  const model = new FakeModel({ slots })
  return { model, engine: createEngine({ model, queueLimit: 16 }) }
}

/** The ids of each choice, and the last event. */
async function read(events: AsyncIterable<EngineEvent>) {
  const ids: number[][] = []
  let end: Extract<EngineEvent, { type: 'end' }> | undefined
  for await (const event of events) {
    if (event.type === 'tokens') (ids[event.choice] ??= []).push(...event.ids)
    if (event.type === 'end') end = event
  }
  return { ids, end: end! }
}

const ask = (engine: Engine, job: GenerateJob) => read(engine.generate(job, never))

/** What single requests with the seeds of the choices answer. */
async function singles(job: GenerateJob, choices: number): Promise<number[][]> {
  const answers: number[][] = []
  for (let choice = 0; choice < choices; choice++) {
    const seed = job.sampling.seed + choice
    const single = { ...job, choices: 1, sampling: { ...job.sampling, seed } }
    answers.push((await ask(start().engine, single)).ids[0] ?? [])
  }
  return answers
}

async function settle(engine: Engine): Promise<void> {
  for (let i = 0; i < 20 && engine.snapshot().slotsInUse > 0; i++) await nextImmediate()
}

describe('several choices', () => {
  it.each([1, 2, 3, 4])(
    'answer as single requests with their seeds do, in %i slots',
    async (slots) => {
      const job = createJob({ ...imagePrompt([4, 4]), maxTokens: 15, sampling, choices: 6 })
      const { engine, model } = start(slots)
      const { ids, end } = await ask(engine, job)
      expect(ids).toEqual(await singles(job, 6))
      expect(end.finishReasons).toHaveLength(6)
      expect(end.completionTokens).toBe(ids.flat().length)
      await settle(engine)
      expect([model.openSlots, engine.snapshot().cachedTokens]).toEqual([0, 0])
    },
  )

  it('read the prompt and its images once', async () => {
    const job = createJob({ ...imagePrompt([4, 4]), stopIds: [], sampling, choices: 5 })
    const { engine, model } = start(2)
    await ask(engine, job)
    const prompts = model.steps.flat().filter((row) => row.tokenIds.length > 1)
    expect(prompts.map((row) => row.tokenIds.length)).toEqual([job.promptIds.length])
    expect(model.looks).toBe(1)
  })

  it('are equal when greedy', async () => {
    const { ids } = await ask(start().engine, createJob({ choices: 3, maxTokens: 12 }))
    expect(ids).toEqual([ids[0], ids[0], ids[0]])
  })

  it('end by themselves, each with its own reason', async () => {
    const job = createJob({ sampling, maxTokens: 30, choices: 8 })
    const { ids, end } = await ask(start().engine, job)
    const reasons = ids.map((choice) => (choice.length < 30 ? 'stop' : 'length'))
    expect(end.finishReasons).toEqual(reasons)
    expect(new Set(reasons).size).toBe(2)
  })

  it('run among other requests, who get free slots first', async () => {
    const job = createJob({ stopIds: [], maxTokens: 20, sampling, choices: 4 })
    const others = Array.from({ length: 6 }, () => createJob({ stopIds: [], maxTokens: 9 }))
    const { engine, model } = start(3)
    const [choices, ...answers] = await Promise.all([job, ...others].map((j) => ask(engine, j)))
    expect(choices!.ids).toEqual(await singles(job, 4))
    for (const { ids } of answers) expect(ids).toEqual(answers[0]!.ids)
    await settle(engine)
    expect(model.openSlots).toBe(0)
  })

  it('end alone when they are stopped, and leave their slot to the next', async () => {
    const job = createJob({ stopIds: [], maxTokens: 40, sampling, choices: 5 })
    const expected = await singles(job, 5)
    const { engine, model } = start(2)
    const counts = [0, 0, 0, 0, 0]
    const ids: number[][] = [[], [], [], [], []]
    let reasons: readonly string[] = []
    const generation = engine.generate(job, never)
    for await (const event of generation) {
      if (event.type === 'end') reasons = event.finishReasons
      if (event.type !== 'tokens') continue
      ids[event.choice]!.push(...event.ids)
      counts[event.choice]! += event.ids.length
      if (event.choice !== 1 && counts[event.choice]! >= 5) generation.stop(event.choice)
    }
    expect(reasons).toEqual(['stop', 'length', 'stop', 'stop', 'stop'])
    ids.forEach((choice, index) => expect(choice).toEqual(expected[index]!.slice(0, choice.length)))
    expect(
      Math.max(...ids.filter((_, index) => index !== 1).map(({ length }) => length)),
    ).toBeLessThan(8)
    await settle(engine)
    expect(model.openSlots).toBe(0)
  })

  it.each([1, 3])('may be stopped before they have begun: %i', async (choices) => {
    const { engine, model } = start(2)
    const job = createJob({ stopIds: [], maxTokens: 10, sampling, choices })
    const generation = engine.generate(job, never)
    const counts = Array.from({ length: choices }, () => 0)
    let reasons: readonly string[] = []
    for await (const event of generation) {
      if (event.type === 'queued') generation.stop(0)
      if (event.type === 'tokens') counts[event.choice]! += event.ids.length
      if (event.type === 'end') reasons = event.finishReasons
    }
    expect(counts).toEqual([1, 10, 10].slice(0, choices))
    expect(reasons).toEqual(['stop', 'length', 'length'].slice(0, choices))
    await settle(engine)
    expect(model.openSlots).toBe(0)
  })

  it.each([1, 2, 4])('free all slots of %i when the request is cancelled', async (slots) => {
    const { engine, model } = start(slots)
    const controller = new AbortController()
    const job = createJob({ stopIds: [], maxTokens: 100, sampling, choices: 6 })
    const reading = read(engine.generate(job, controller.signal))
    while (engine.snapshot().steps < 6) await nextImmediate()
    const { steps, slotsInUse } = engine.snapshot()
    expect(slotsInUse).toBe(slots)
    controller.abort()
    await expect(reading).rejects.toMatchObject({ code: 'cancelled' })
    await settle(engine)
    expect([model.openSlots, engine.snapshot().slotsInUse]).toEqual([0, 0])
    expect(engine.snapshot().steps).toBeLessThanOrEqual(steps + 1)
  })

  it('all fail when a step fails', async () => {
    const { engine, model } = start(2)
    model.hooks.onStep = () => {
      if (model.steps.length === 4) throw new Error('driver')
    }
    const job = createJob({ stopIds: [], choices: 3, sampling })
    await expect(ask(engine, job)).rejects.toMatchObject({ code: 'internal' })
    await settle(engine)
    expect(model.openSlots).toBe(0)
  })
})

describe('granted tokens', () => {
  const granted = (answers: number, choices: number) =>
    createJob({ stopIds: [], maxTokens: 40, sampling, choices, grantedTokens: 3 + answers })

  it.each([1, 2, 4])('are never passed by all choices together, in %i slots', async (slots) => {
    const { engine, model } = start(slots)
    const whole = await singles(granted(1_000, 1), 3)
    const { ids, end } = await ask(engine, granted(20, 3))
    expect(ids.map(({ length }) => length)).toEqual([7, 7, 6])
    ids.forEach((choice, index) => expect(choice).toEqual(whole[index]!.slice(0, choice.length)))
    expect(end).toMatchObject({
      completionTokens: 20,
      finishReasons: ['length', 'length', 'length'],
    })
    await settle(engine)
    expect(model.openSlots).toBe(0)
  })

  it('may be fewer than choices', async () => {
    const { ids, end } = await ask(start().engine, granted(2, 4))
    expect(ids.map(({ length }) => length)).toEqual([1, 1])
    expect(end.finishReasons).toEqual(['length', 'length', 'length', 'length'])
  })

  it('must hold more than the prompt', async () => {
    await expect(ask(start().engine, granted(0, 1))).rejects.toMatchObject({
      code: 'quota_exceeded',
    })
  })
})

describe('sampling rules in the engine', () => {
  it('include log probabilities of every token, however slowly they are read', async () => {
    const job = createJob({ stopIds: [], maxTokens: 10, choices: 2, topLogprobs: 3, sampling })
    const events = start().engine.generate(job, never)
    const told: EngineEvent[] = []
    for await (const event of events) {
      if (event.type === 'tokens') told.push(event)
      for (let i = 0; i < 6; i++) await nextImmediate()
    }
    for (const event of told) {
      if (event.type !== 'tokens') continue
      expect(event.logprobs?.map(({ id }) => id)).toEqual(event.ids)
      expect(event.logprobs?.every(({ top }) => top.length === 3)).toBe(true)
    }
    expect(told.some((event) => event.type === 'tokens' && event.ids.length > 1)).toBe(true)
  })

  it('refuse a bias for a token the model does not have', async () => {
    const biased = { ...sampling, logitBias: [[64, 1]] as const }
    await expect(ask(start().engine, createJob({ sampling: biased }))).rejects.toMatchObject({
      code: 'invalid_field',
      param: 'logit_bias.64',
    })
  })
})
