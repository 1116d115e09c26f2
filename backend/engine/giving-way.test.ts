import { setImmediate as nextImmediate } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { FakeModel } from '../../test/support/inference/fake-model.ts'
import { createJob, imagePrompt } from '../../test/support/inference/jobs.ts'
import { createEngine } from './engine.ts'
import type { EngineEvent, GenerateJob } from './job.ts'
import { createRandom } from './sampling/random.ts'

const never = new AbortController().signal
const seeded = { temperature: 1, topP: 0.95, seed: 5 }
const times = <T>(count: number, make: (index: number) => T) =>
  Array.from({ length: count }, (_, index) => make(index))

type Options = Partial<Parameters<typeof createEngine>[0]>

function start(slots: number, options: Options = {}) {
  const model = new FakeModel({ slots, contextTokens: 8_192 })
  const engine = createEngine({ model, queueLimit: 100, ...options })
  const running = new Set<string>()
  /** What an answer is, and in which step its first token came. */
  const ask = async (changes: Partial<GenerateJob>, signal = never) => {
    const job = createJob({ stopIds: [], sampling: seeded, ...changes })
    running.add(job.id)
    const ids: number[][] = []
    const steps: number[] = []
    let end: Extract<EngineEvent, { type: 'end' }> | undefined
    try {
      for await (const event of engine.generate(job, signal)) {
        if (event.type === 'tokens') {
          ;(ids[event.choice] ??= []).push(...event.ids)
          steps.push(engine.snapshot().steps)
        }
        if (event.type === 'end') end = event
      }
    } finally {
      running.delete(job.id)
    }
    return { ids, steps, end: end! }
  }
  /** Settles in that step, or when there is nothing to run. */
  const reach = async (steps: number) => {
    while (running.size > 0 && engine.snapshot().steps < steps) await nextImmediate()
  }
  /** Everything has been given back. */
  const expectIdle = async () => {
    while (running.size > 0 || engine.snapshot().slotsInUse > 0) await nextImmediate()
    const { memory, paused, queued } = engine.snapshot()
    expect([model.openSlots, memory.slotTokens, paused, queued]).toEqual([0, 0, 0, 0])
  }
  return { model, engine, running, ask, reach, expectIdle }
}

/** What a job answers when it has the model for itself. */
const alone = async (job: Partial<GenerateJob>) => (await start(8).ask(job)).ids

const answerOf = (index: number, changes: Partial<GenerateJob> = {}): Partial<GenerateJob> => ({
  tenant: 'many',
  promptIds: Int32Array.from({ length: 30 }, (_, at) => (at * 7 + index) % 50),
  sampling: { ...seeded, seed: index },
  maxTokens: 1_600,
  ...changes,
})
const question = { tenant: 'one', promptIds: Int32Array.of(9, 8, 7), maxTokens: 10 }

describe('a tenant with nothing running', () => {
  it('has its first token within 20 steps, whoever came first, and changes no answer', async () => {
    const { ask, reach, engine, expectIdle } = start(8)
    const answers = times(8, (index) => ask(answerOf(index)))
    const expected = await Promise.all(times(8, (index) => alone(answerOf(index))))
    for (const arrival of [100, 600, 601, 1_500]) {
      await reach(arrival)
      const arrived = engine.snapshot().steps
      const { ids, steps } = await ask(question)
      expect(steps[0]! - arrived).toBeLessThanOrEqual(20)
      expect(ids).toEqual(await alone(question))
    }
    expect((await Promise.all(answers)).map(({ ids }) => ids)).toEqual(expected)
    await expectIdle()
  })

  it('has it when the others have only just begun, too', async () => {
    const { ask, expectIdle } = start(4)
    const answers = times(4, (index) => ask(answerOf(index, { maxTokens: 200 })))
    const { steps } = await ask(question)
    expect(steps[0]!).toBeLessThanOrEqual(20)
    await Promise.all(answers)
    await expectIdle()
  })

  it('gives its slot back to those that gave way', async () => {
    const { ask, reach, model, engine, expectIdle } = start(2)
    const answers = times(2, (index) => ask(answerOf(index, { maxTokens: 300 })))
    await reach(50)
    const asked = ask(question)
    await reach(55)
    expect(engine.snapshot()).toMatchObject({ slotsInUse: 2, paused: 1, queued: 0 })
    await asked
    await Promise.all(answers)
    await expectIdle()
    // The short question took the place of one stream in each of its ten steps, and nothing was read twice.
    expect(model.steps.flat().filter(({ tokenIds }) => tokenIds.length === 30)).toHaveLength(2)
    expect(engine.snapshot().steps).toBeLessThanOrEqual(300 + 10 + 3)
  })

  it('need not have come alone: one slot is shared in turns of 16 steps at least', async () => {
    const { ask, model, expectIdle } = start(1)
    const jobs = times(3, (index) => answerOf(index, { tenant: `t${index}`, maxTokens: 200 }))
    const answers = await Promise.all(jobs.map((job) => ask(job)))
    expect(answers.map(({ ids }) => ids)).toEqual(await Promise.all(jobs.map(alone)))
    const slots = model.steps.map((rows) => rows[0]!.slot)
    const changes = slots.filter((slot, at) => at > 0 && slot !== slots[at - 1]).length
    expect(changes).toBeGreaterThan(20)
    expect(changes).toBeLessThanOrEqual(slots.length / 16)
    await expectIdle()
  })

  it('takes its slot from the others in turn', async () => {
    const { ask, reach, engine, expectIdle } = start(8)
    const state = { left: 8 }
    const answers = times(8, (index) =>
      ask(answerOf(index, { maxTokens: 600 })).finally(() => (state.left -= 1)),
    )
    await reach(20)
    while (state.left === 8) await ask({ ...question, maxTokens: 20 })
    await Promise.all(answers)
    // Seven of eight slots, and what the last ones need when others have ended.
    expect(engine.snapshot().steps).toBeLessThan((600 * 8) / 7 + 50)
    await expectIdle()
  })

  it('does not keep a long answer from its end by asking again and again', async () => {
    const { ask, expectIdle } = start(1)
    const state = { done: false }
    const long = ask(answerOf(0, { maxTokens: 500 })).finally(() => (state.done = true))
    let asked = 0
    while (!state.done) {
      await ask({ ...question, maxTokens: 3 })
      asked += 1
    }
    expect((await long).ids).toEqual(await alone(answerOf(0, { maxTokens: 500 })))
    expect(asked).toBeGreaterThan(10)
    await expectIdle()
  })
})

describe('an answer that gave way', () => {
  const busy = () => {
    const parts = start(2)
    const controllers = times(2, () => new AbortController())
    const answers = controllers.map(({ signal }, index) =>
      parts.ask(answerOf(index), signal).catch((error: unknown) => error),
    )
    return { ...parts, controllers, answers }
  }

  it('frees all it has when it is cancelled', async () => {
    const { ask, reach, engine, controllers, answers, expectIdle } = busy()
    await reach(40)
    const asked = ask({ ...question, maxTokens: 40 })
    await reach(50)
    expect(engine.snapshot().paused).toBe(1)
    for (const controller of controllers) controller.abort()
    await reach(52)
    expect(engine.snapshot()).toMatchObject({ paused: 0, slotsInUse: 1 })
    await asked
    for (const answer of await Promise.all(answers)) {
      expect(answer).toMatchObject({ code: 'cancelled' })
    }
    await expectIdle()
  })

  it('ends with what it has when its time is up', async () => {
    let ms = 0
    const { ask, reach, engine, model, expectIdle } = start(1, { now: () => ms })
    model.hooks.onStep = () => void (ms += 10)
    const long = ask(answerOf(0, { timeoutMs: 400 }))
    await reach(30)
    const other = ask({ ...question, maxTokens: 60 })
    await reach(34)
    expect(engine.snapshot().paused).toBe(1)
    ms += 1_000
    const { ids, end } = await long
    expect(end.finishReasons).toEqual(['timeout'])
    expect(ids[0]).toHaveLength(end.completionTokens)
    expect(end.timings.queueMs).toBeGreaterThanOrEqual(1_000)
    expect((await other).ids[0]).toHaveLength(60)
    await expectIdle()
  })

  it.each([1, 2, 3, 5])('may have several choices, in %i slots', async (slots) => {
    const job = answerOf(3, { choices: 4, maxTokens: 150, ...imagePrompt([4, 4]) })
    const { ask, reach, model, expectIdle } = start(slots)
    const answer = ask(job)
    for (const arrival of [20, 60, 61, 100, 130]) {
      await reach(arrival)
      await ask(question)
    }
    expect((await answer).ids).toEqual(await alone(job))
    expect(model.looks).toBe(1)
    await expectIdle()
  })

  it('may be stopped meanwhile', async () => {
    const { ask, reach, engine, expectIdle } = start(1)
    const job = createJob(answerOf(0, { choices: 2, maxTokens: 60, stopIds: [] }))
    const generation = engine.generate(job, never)
    const reading = (async () => {
      const events: EngineEvent[] = []
      for await (const event of generation) events.push(event)
      return events.at(-1)
    })()
    await reach(20)
    const asked = ask({ ...question, maxTokens: 20 })
    await reach(25)
    expect(engine.snapshot().paused).toBe(1)
    generation.stop(0)
    await asked
    expect(await reading).toMatchObject({ finishReasons: ['stop', 'length'] })
    await expectIdle()
  })
})

describe('batch work', () => {
  const batch = (index: number) => answerOf(index, { priority: 'batch', maxTokens: 60 })

  it('never has the last slot', async () => {
    const { ask, model, expectIdle } = start(4)
    await Promise.all(times(10, (index) => ask(batch(index))))
    expect(Math.max(...model.steps.map((rows) => rows.length))).toBe(3)
    await expectIdle()
  })

  it('lets interactive requests of its own tenant begin at once', async () => {
    const { ask, reach, engine, expectIdle } = start(4)
    const work = times(10, (index) => ask(batch(index)))
    await reach(5)
    const { steps } = await ask({ ...question, tenant: 'many' })
    expect(steps[0]!).toBeLessThanOrEqual(8)
    await Promise.all(work)
    expect(engine.snapshot().queued).toBe(0)
    await expectIdle()
  })

  it('gives way first, and goes on beside interactive work that never ends', async () => {
    const { ask, reach, engine, expectIdle } = start(2)
    const work = ask(batch(0))
    const other = ask(answerOf(1, { tenant: 'other', maxTokens: 2_500 }))
    await reach(30)
    const third = ask(answerOf(2, { tenant: 'third', maxTokens: 2_500 }))
    await reach(35)
    expect(engine.snapshot()).toMatchObject({ slotsInUse: 2, paused: 1 })
    const { ids } = await work
    expect(engine.snapshot().steps).toBeLessThan(2_500)
    expect(ids).toEqual(await alone(batch(0)))
    await Promise.all([other, third])
    await expectIdle()
  })
})

describe('memory', () => {
  const text = (index: number) => answerOf(index, { maxTokens: 300 })

  it.each([0, 256])(
    'that is needed costs rows, not tokens (prefix cache of %i)',
    async (prefix) => {
      const caches = { kvTokens: 400, prefixTokens: prefix }
      const { ask, reach, model, engine, expectIdle } = start(1, { caches })
      const picture = { ...text(0), ...imagePrompt([4, 4]) }
      const answer = ask(picture)
      await reach(120)
      const large = { tenant: 'one', promptIds: new Int32Array(300).fill(3), maxTokens: 20 }
      const arrived = engine.snapshot().steps
      const { ids, steps } = await ask(large)
      expect(steps[0]! - arrived).toBeLessThanOrEqual(20)
      expect(ids).toEqual(await alone(large))
      expect((await answer).ids).toEqual(await alone(picture))
      const reread = model.steps.flat().filter(({ tokenIds }) => tokenIds.length > 20)
      expect(reread.length).toBeGreaterThan(1)
      await expectIdle()
    },
  )

  it('is not taken from an answer whose rows cannot be made again to the last bit', async () => {
    const caches = { kvTokens: 400 }
    const { ask, reach, model, expectIdle } = start(1, { caches, deterministic: true })
    const answer = ask(text(0))
    await reach(120)
    await ask({ tenant: 'one', promptIds: new Int32Array(300).fill(3), maxTokens: 20 })
    await answer
    const chunks = model.steps.flat().map(({ tokenIds }) => tokenIds.length)
    expect(chunks.filter((tokens) => tokens > 1)).toEqual([30, 64, 64, 64, 64, 44])
    await expectIdle()
  })

  /** Any kind of job: short and long prompts, with pictures or without, of some tenants. */
  function anyJob(below: (limit: number) => number, index: number): Partial<GenerateJob> {
    const words = Array.from({ length: 1 + below(90) }, (_, at) => (at + index) % 50)
    const picture = below(3) === 0 ? imagePrompt([4, 4], [2, 2 + 2 * below(3)]) : undefined
    return {
      promptIds: Int32Array.from([...words, ...(picture?.promptIds ?? [])]),
      images: picture?.images ?? [],
      tenant: `t${below(5)}`,
      priority: below(3) === 0 ? 'batch' : 'interactive',
      sampling: { temperature: below(2), seed: index },
      maxTokens: 1 + below(80),
      choices: 1 + below(3),
    }
  }

  function anyTraffic(seed: number, settings: Options = {}) {
    const random = createRandom(seed)
    const below = (limit: number) => Math.floor(random() * limit)
    const kvTokens = 250 + below(400)
    const caches = { kvTokens, prefixTokens: below(2) * 128, imageBytes: 1e4 }
    const parts = start(1 + below(4), { caches, ...settings })
    parts.model.hooks.onStep = () => {
      expect(parts.model.slotTokens + parts.model.keptTokens).toBeLessThanOrEqual(kvTokens)
    }
    return { ...parts, below, jobs: times(40, (index) => anyJob(below, index)) }
  }

  it.each(times(8, (seed) => seed))('and slots are shared by any traffic: %i', async (seed) => {
    const { ask, reach, engine, expectIdle, below, jobs } = anyTraffic(seed)
    const answers = []
    for (const job of jobs) {
      answers.push(ask(job))
      await reach(engine.snapshot().steps + below(8))
    }
    const got = (await Promise.all(answers)).map(({ ids }) => ids)
    expect(got).toEqual(await Promise.all(jobs.map(alone)))
    await expectIdle()
  })

  it.each([...times(8, (seed) => 100 + seed), 2016])(
    'is free when all have left: %i',
    async (seed) => {
      const { reach, engine, running, expectIdle, below, jobs } = anyTraffic(seed)
      const read = async (job: GenerateJob, stopAt: number, leaveAt: number) => {
        const leaving = new AbortController()
        const generation = engine.generate(job, leaving.signal)
        let tokens = 0
        running.add(job.id)
        try {
          for await (const event of generation) {
            if (event.type === 'tokens') tokens += event.ids.length
            if (tokens >= stopAt) generation.stop(below(3))
            if (tokens >= leaveAt) leaving.abort()
          }
        } finally {
          running.delete(job.id)
        }
      }
      const answers = []
      for (const job of jobs) {
        const [stopAt, leaveAt] = [below(100), below(2) === 0 ? Infinity : below(100)]
        const left = read(createJob({ ...job, stopIds: [] }), stopAt, leaveAt)
        answers.push(left.catch((error: unknown) => error))
        await reach(engine.snapshot().steps + below(6))
      }
      const failures = (await Promise.all(answers)).filter((failure) => failure !== undefined)
      for (const failure of failures) expect(failure).toMatchObject({ code: 'cancelled' })
      await expectIdle()
    },
  )
})
