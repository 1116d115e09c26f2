import { setImmediate as nextImmediate } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { ServiceError } from '../../shared/api/errors.ts'
import { FakeModel } from '../../test/support/inference/fake-model.ts'
import {
  createJob,
  imagePrompt,
  readAnswer,
  type Answer,
} from '../../test/support/inference/jobs.ts'
import { createEngine } from './engine.ts'
import type { Engine, EngineEvent, GenerateJob } from './job.ts'

const never = new AbortController().signal

function start(model = new FakeModel(), options: Partial<Parameters<typeof createEngine>[0]> = {}) {
  return { model, engine: createEngine({ model, queueLimit: 16, ...options }) }
}

function answer(engine: Engine, job: GenerateJob, signal = never): Promise<Answer> {
  return readAnswer(engine.generate(job, signal))
}

/** The answer of a fresh engine that does nothing else and reads the prompt in one piece. */
async function alone(job: GenerateJob): Promise<number[]> {
  return (await answer(start().engine, job)).ids
}

/** Six jobs of different kinds, lengths and sampling. */
function mixedJobs(): GenerateJob[] {
  const sampling = { temperature: 0.9, topP: 0.8, seed: 42 }
  return [
    createJob({ maxTokens: 20 }),
    createJob({ promptIds: Int32Array.from({ length: 50 }, (_, i) => i % 50), maxTokens: 5 }),
    createJob({ ...imagePrompt([4, 4], [2, 6]), maxTokens: 12, sampling }),
    createJob({ maxTokens: 1 }),
    createJob({ promptIds: Int32Array.of(5), maxTokens: 30, sampling }),
    createJob({ ...imagePrompt([2, 2]), maxTokens: 9 }),
  ]
}

async function settle(engine: Engine): Promise<void> {
  for (let i = 0; i < 20 && engine.snapshot().slotsInUse > 0; i++) await nextImmediate()
}

/** Reads until `count` events came. */
async function take(events: AsyncIterator<EngineEvent>, count: number): Promise<void> {
  for (let i = 0; i < count; i++) await events.next()
}

/** A place where a model call waits until the test lets it go. */
function createGate() {
  let open = (): void => {}
  let reach = (): void => {}
  const opened = new Promise<void>((resolve) => (open = resolve))
  const reached = new Promise<void>((resolve) => (reach = resolve))
  const pass = (): Promise<void> => {
    reach()
    return opened
  }
  return { open, reached, pass }
}

describe('a model that gives candidates', () => {
  it('has the answers of one that gives whole rows, which are read where they are needed', async () => {
    const { model, engine } = start(new FakeModel({}, { candidates: 48 }))
    const jobs = mixedJobs()
    const answers = await Promise.all(jobs.map((job) => answer(engine, job)))
    for (const [i, { ids }] of answers.entries()) expect(ids).toEqual(await alone(jobs[i]!))
    const sampled = answers.reduce((sum, { ids }) => sum + ids.length, 0)
    expect(model.rowsRead).toBeGreaterThan(0)
    expect(model.rowsRead).toBeLessThan(sampled / 2)
    const choices = createJob({ choices: 3, sampling: { temperature: 1, seed: 5 } })
    expect((await answer(engine, choices)).ids).toEqual(await alone(choices))
  })

  it('may be left while a row is read', async () => {
    const cancel = new AbortController()
    const model = new FakeModel({}, { candidates: 1, onRow: () => cancel.abort() })
    const { engine } = start(model)
    const job = createJob({ sampling: { temperature: 2, seed: 1 } })
    await expect(answer(engine, job, cancel.signal)).rejects.toThrow(ServiceError)
    await settle(engine)
    expect([model.openSlots, engine.snapshot().slotsInUse]).toEqual([0, 0])
  })

  it('fails the requests of a step whose rows cannot be read, and goes on', async () => {
    let isBroken = true
    const onRow = () => {
      if (isBroken) throw new Error('broken')
    }
    const { engine } = start(new FakeModel({}, { candidates: 1, onRow }))
    const job = createJob({ sampling: { temperature: 2, seed: 1 } })
    await expect(answer(engine, job)).rejects.toMatchObject({ code: 'internal' })
    isBroken = false
    expect((await answer(engine, { ...job, id: 'again' })).ids).toEqual(await alone(job))
  })
})

describe('generate()', () => {
  it('yields queued, then tokens, then end', async () => {
    const { types, ids, end } = await answer(start().engine, createJob())
    expect(types[0]).toBe('queued')
    expect(types.at(-1)).toBe('end')
    expect(new Set(types.slice(1, -1))).toEqual(new Set(['tokens']))
    expect(end.completionTokens).toBe(ids.length)
  })

  it('reports its phases on request, in order', async () => {
    const job = createJob({ ...imagePrompt([2, 2]), reportsPhases: true })
    const phases: string[] = []
    const before = Date.now()
    for await (const event of start().engine.generate(job, never)) {
      if (event.type !== 'phase') continue
      phases.push(event.phase)
      expect(event.epochMs).toBeGreaterThan(before - 1_000)
      expect(event.epochMs).toBeLessThan(Date.now() + 1_000)
    }
    expect(phases).toEqual(['vision', 'prefill', 'decode'])
  })

  it('gives the same answers batched, joining and leaving at different steps, as alone', async () => {
    const jobs = mixedJobs()
    const expected = await Promise.all(jobs.map(alone))
    const { engine, model } = start()
    const answers = jobs.map(async (job, index) => {
      while (engine.snapshot().steps < index * 2) await nextImmediate()
      return (await answer(engine, { ...job, id: `late-${index}` })).ids
    })
    expect(await Promise.all(answers)).toEqual(expected)
    expect(Math.max(...model.steps.map((rows) => rows.length))).toBeGreaterThan(2)
    expect(model.openSlots).toBe(0)
  })

  it('gives the same answers whatever the size of prefill chunks', async () => {
    const jobs = mixedJobs()
    const expected = await Promise.all(jobs.map(alone))
    for (const prefillChunkTokens of [1, 3, 7]) {
      const { engine } = start(undefined, { prefillChunkTokens, stepTokenBudget: 9 })
      const answers = await Promise.all(jobs.map((job) => answer(engine, job)))
      expect(answers.map(({ ids }) => ids)).toEqual(expected)
    }
  })

  it('puts decode rows and prefill chunks of several sequences in one step, within the budget', async () => {
    const { engine, model } = start(undefined, {
      prefillChunkTokens: 8,
      stepTokenBudget: 12,
      // Steps that take no time leave room for prompts without limit.
      now: () => 0,
    })
    const long = () => createJob({ promptIds: new Int32Array(40).fill(3), maxTokens: 2 })
    const stream = answer(engine, createJob({ maxTokens: 30, stopIds: [] }))
    await Promise.all([stream, answer(engine, long()), answer(engine, long())])
    const sizes = model.steps.map((rows) => rows.map((row) => row.tokenIds.length))
    expect(sizes).toContainEqual([1, 8, 3])
    const totals = sizes.map((counts) => counts.reduce((sum, count) => sum + count))
    expect(Math.max(...totals)).toBeLessThanOrEqual(12)
  })

  it('ends with length at max_tokens', async () => {
    const { ids, end } = await answer(start().engine, createJob({ stopIds: [], maxTokens: 5 }))
    expect(ids).toHaveLength(5)
    expect(end.finishReasons).toEqual(['length'])
  })

  it('ends with stop, the stop id not part of the answer', async () => {
    const ids = await alone(createJob({ stopIds: [] }))
    const stopIds = [ids[3]!]
    const stopped = await answer(start().engine, createJob({ stopIds }))
    expect(stopped.ids).toEqual(ids.slice(0, ids.indexOf(stopIds[0]!)))
    expect(stopped.end.finishReasons).toEqual(['stop'])
    expect(stopped.end.completionTokens).toBe(stopped.ids.length)
  })

  it('ends with length where the context ends', async () => {
    const { engine } = start(new FakeModel({ contextTokens: 10 }))
    const { ids, end } = await answer(engine, createJob({ stopIds: [], maxTokens: 100 }))
    expect(ids).toHaveLength(7)
    expect(end.finishReasons).toEqual(['length'])
  })

  it('refuses a prompt over the context and names both numbers', async () => {
    const { engine } = start(new FakeModel({ contextTokens: 10 }))
    const job = createJob({ promptIds: new Int32Array(11) })
    await expect(answer(engine, job)).rejects.toMatchObject({
      code: 'context_length_exceeded',
      message: expect.stringMatching(/11.*10/) as string,
    })
  })

  it('refuses jobs beyond slots and queue, and states positions', async () => {
    const { engine } = start(undefined, { queueLimit: 2 })
    const streams = Array.from({ length: 7 }, () => engine.generate(createJob(), never))
    const first = await Promise.allSettled(
      streams.map((stream) => stream[Symbol.asyncIterator]().next()),
    )
    const positions = first.map((result) => {
      if (result.status === 'rejected') return result.reason as Error
      return result.value.done !== true && result.value.value.type === 'queued'
        ? result.value.value.position
        : undefined
    })
    expect(positions.slice(0, 6)).toEqual([0, 0, 0, 0, 0, 1])
    expect(positions[6]).toMatchObject({ code: 'queue_full', status: 429 })
  })

  it('starts jobs in the order of their arrival', async () => {
    const { engine } = start(new FakeModel({ slots: 1 }))
    const order: number[] = []
    const jobs = [9, 1, 5, 1].map(async (maxTokens, index) => {
      await answer(engine, createJob({ maxTokens, stopIds: [] }))
      order.push(index)
    })
    await Promise.all(jobs)
    expect(order).toEqual([0, 1, 2, 3])
  })

  it('refuses a second job with a running id, and takes it once the first ended', async () => {
    const { engine } = start()
    const job = createJob()
    const first = answer(engine, job)
    await expect(answer(engine, job)).rejects.toBeInstanceOf(RangeError)
    const { ids } = await first
    expect((await answer(engine, job)).ids).toEqual(ids)
  })

  it('refuses a job whose images and placeholders do not match', async () => {
    const { engine, model } = start()
    const { promptIds, images } = imagePrompt([4, 4])
    for (const job of [
      createJob({ promptIds }),
      createJob({ promptIds: promptIds.subarray(2), images }),
      createJob({ promptIds: Int32Array.of(1), images }),
    ]) {
      await expect(answer(engine, job)).rejects.toBeInstanceOf(RangeError)
    }
    expect(model.steps).toHaveLength(0)
  })

  it('runs one step at least between two images while others stream', async () => {
    const calls: string[] = []
    const { engine } = start(
      new FakeModel(
        {},
        { onLook: () => void calls.push('image'), onStep: () => void calls.push('step') },
      ),
    )
    const stream = answer(engine, createJob({ maxTokens: 30, stopIds: [] }))
    while (engine.snapshot().steps < 3) await nextImmediate()
    await Promise.all([stream, answer(engine, createJob(imagePrompt([2, 2], [2, 2], [2, 2])))])
    const images = calls.flatMap((call, index) => (call === 'image' ? [index] : []))
    expect(images).toHaveLength(3)
    expect(images.map((at) => calls[at + 1])).toEqual(['step', 'step', 'step'])
  })

  it('reports where the time went, by its clock', async () => {
    let clockMs = 0
    const model = new FakeModel(
      { slots: 1 },
      { onLook: () => void (clockMs += 100), onStep: () => void (clockMs += 10) },
    )
    const { engine } = start(model, { now: () => clockMs })
    const first = answer(
      engine,
      createJob({ ...imagePrompt([2, 2], [2, 2]), maxTokens: 3, stopIds: [] }),
    )
    const second = answer(engine, createJob({ maxTokens: 1, stopIds: [] }))
    expect((await first).end.timings).toEqual({
      queueMs: 0,
      visionMs: 200,
      prefillMs: 10,
      decodeMs: 20,
    })
    expect((await second).end.timings).toEqual({
      queueMs: 230,
      visionMs: 0,
      prefillMs: 10,
      decodeMs: 0,
    })
  })
})

describe('sampling', () => {
  const sampled = (seed: number) =>
    createJob({ maxTokens: 24, stopIds: [], sampling: { temperature: 1, topP: 0.95, seed } })

  it('repeats a seed, alone and among others, and two seeds differ', async () => {
    const expected = await alone(sampled(7))
    const { engine } = start()
    const [, again, other] = await Promise.all(
      [createJob({ maxTokens: 30 }), sampled(7), sampled(8)].map((job) => answer(engine, job)),
    )
    expect(again!.ids).toEqual(expected)
    expect(other!.ids).not.toEqual(expected)
  })

  it('never picks a control id, however likely', async () => {
    const editLogits = (_: unknown, logits: Float32Array) => logits.fill(1000, 57)
    const { engine } = start(new FakeModel({}, { editLogits }))
    const { ids } = await answer(engine, sampled(1))
    expect(ids).toHaveLength(24)
    expect(Math.max(...ids)).toBeLessThan(56)
  })
})

describe('cancellation', () => {
  it('refuses a signal that is aborted already', async () => {
    const { engine, model } = start()
    await expect(answer(engine, createJob(), AbortSignal.abort())).rejects.toMatchObject({
      code: 'cancelled',
    })
    expect(model.steps).toHaveLength(0)
  })

  it('throws the reason when that is a ServiceError', async () => {
    const reason = new ServiceError('deadline_exceeded', 'Too late')
    await expect(answer(start().engine, createJob(), AbortSignal.abort(reason))).rejects.toBe(
      reason,
    )
  })

  it('takes a waiting job out of the queue at once', async () => {
    const { engine, model } = start(new FakeModel({ slots: 1 }))
    const running = answer(engine, createJob({ maxTokens: 20, stopIds: [] }))
    const controller = new AbortController()
    const waiting = answer(engine, createJob(), controller.signal)
    while (engine.snapshot().steps < 2) await nextImmediate()
    expect(engine.snapshot().queued).toBe(1)
    controller.abort()
    expect(engine.snapshot().queued).toBe(0)
    await expect(waiting).rejects.toMatchObject({ code: 'cancelled' })
    await running
    expect(new Set(model.steps.flat().map((row) => row.slot)).size).toBe(1)
  })

  it('frees the slot when aborted during vision, and looks no further', async () => {
    const gate = createGate()
    const { engine, model } = start(new FakeModel({}, { onLook: gate.pass }))
    const controller = new AbortController()
    const job = answer(engine, createJob(imagePrompt([2, 2], [2, 2])), controller.signal)
    await gate.reached
    controller.abort()
    await expect(job).rejects.toMatchObject({ code: 'cancelled' })
    gate.open()
    await settle(engine)
    expect(engine.snapshot()).toMatchObject({ slotsInUse: 0, cachedTokens: 0, steps: 0 })
    await engine.close()
    expect([model.openSlots, model.looks, model.openLooks]).toEqual([0, 1, 0])
  })

  it('frees the slot with the running step when aborted during prefill', async () => {
    const gate = createGate()
    const { engine, model } = start(new FakeModel({}, { onStep: gate.pass }), {
      prefillChunkTokens: 4,
    })
    const controller = new AbortController()
    const job = answer(engine, createJob({ promptIds: new Int32Array(40) }), controller.signal)
    await gate.reached
    controller.abort()
    await expect(job).rejects.toMatchObject({ code: 'cancelled' })
    gate.open()
    await settle(engine)
    expect(engine.snapshot()).toMatchObject({ slotsInUse: 0, cachedTokens: 0, steps: 1 })
    expect(model.openSlots).toBe(0)
  })

  it('frees the slot within one step when aborted during decode, and others stream on', async () => {
    const { engine, model } = start()
    const controller = new AbortController()
    const other = createJob({ maxTokens: 40, stopIds: [] })
    const expected = await alone(other)
    const survivor = answer(engine, other)
    const stream = engine.generate(createJob({ maxTokens: 100, stopIds: [] }), controller.signal)
    const events = stream[Symbol.asyncIterator]()
    await take(events, 4)
    const { steps } = engine.snapshot()
    controller.abort()
    while (engine.snapshot().slotsInUse > 1) await nextImmediate()
    expect(engine.snapshot().steps).toBeLessThanOrEqual(steps + 1)
    expect(model.openSlots).toBe(1)
    await expect(take(events, 3)).rejects.toMatchObject({ code: 'cancelled' })
    expect((await survivor).ids).toEqual(expected)
  })

  it('frees the slot within one step when the reader leaves the loop', async () => {
    const { engine, model } = start()
    let stepsAtBreak = 0
    for await (const event of engine.generate(createJob({ maxTokens: 100, stopIds: [] }), never)) {
      stepsAtBreak = engine.snapshot().steps
      if (event.type === 'tokens') break
    }
    await settle(engine)
    expect(engine.snapshot().slotsInUse).toBe(0)
    expect(engine.snapshot().steps).toBeLessThanOrEqual(stepsAtBreak + 1)
    expect(model.openSlots).toBe(0)
  })
})

describe('failures', () => {
  it('a failing step ends the sequences in it with internal and the engine lives on', async () => {
    let failing = true
    const model = new FakeModel(
      {},
      {
        onStep: () => {
          if (failing && model.steps.length === 3) throw new Error('driver: /dev/secret')
        },
      },
    )
    const { engine } = start(model)
    const jobs = [createJob({ stopIds: [] }), createJob({ stopIds: [] })]
    const results = await Promise.allSettled(jobs.map((job) => answer(engine, job)))
    for (const result of results) {
      const reason = (result as PromiseRejectedResult).reason as Error
      expect(reason).toMatchObject({ code: 'internal', cause: { message: 'driver: /dev/secret' } })
      expect(reason.message).not.toContain('secret')
    }
    await settle(engine)
    expect(model.openSlots).toBe(0)
    failing = false
    expect((await answer(engine, jobs[0]!)).ids).toEqual(await alone(jobs[0]!))
  })

  it('a failing image ends its own request only', async () => {
    const onLook = () => Promise.reject(new Error('bad graph'))
    const { engine, model } = start(new FakeModel({}, { onLook }))
    const text = createJob()
    const [image, other] = await Promise.allSettled([
      answer(engine, createJob(imagePrompt([2, 2]))),
      answer(engine, text),
    ])
    expect((image as PromiseRejectedResult).reason).toMatchObject({ code: 'internal' })
    expect((other as PromiseFulfilledResult<Answer>).value.ids).toEqual(await alone(text))
    await settle(engine)
    expect(model.openSlots).toBe(0)
  })

  it.each([NaN, Infinity, -Infinity])('a logit of %s ends its own sequence only', async (bad) => {
    const { engine, model } = start(
      new FakeModel(
        {},
        {
          editLogits: (row, logits) => {
            if (row.tokenIds.length === 2) logits[5] = bad
          },
        },
      ),
    )
    const text = createJob()
    const [broken, other] = await Promise.allSettled([
      answer(engine, createJob({ promptIds: Int32Array.of(4, 5) })),
      answer(engine, text),
    ])
    expect((broken as PromiseRejectedResult).reason).toMatchObject({ code: 'internal' })
    expect((other as PromiseFulfilledResult<Answer>).value.ids).toEqual(await alone(text))
    await settle(engine)
    expect(model.openSlots).toBe(0)
  })
})

describe('close()', () => {
  it('ends waiting and running jobs with shutting_down, frees all slots and refuses new jobs', async () => {
    const { engine, model } = start(new FakeModel({ slots: 2 }))
    const jobs = [1, 2, 3, 4].map(() => answer(engine, createJob({ maxTokens: 100, stopIds: [] })))
    const settled = Promise.allSettled(jobs)
    while (engine.snapshot().steps < 2) await nextImmediate()
    await engine.close()
    expect(model.openSlots).toBe(0)
    for (const result of await settled) {
      expect((result as PromiseRejectedResult).reason).toMatchObject({ code: 'shutting_down' })
    }
    await expect(answer(engine, createJob())).rejects.toMatchObject({ code: 'shutting_down' })
  })
})

describe('createEngine()', () => {
  it('refuses a step budget below the number of slots', () => {
    expect(() => start(undefined, { stepTokenBudget: 3 })).toThrow(RangeError)
  })

  it('runs nothing between jobs', async () => {
    let turns = 0
    const yieldToEvents = () => {
      turns += 1
      return nextImmediate()
    }
    const { engine } = start(undefined, { yieldToEvents })
    await answer(engine, createJob())
    await nextImmediate()
    const { steps } = engine.snapshot()
    const turnsAfter = turns
    for (let i = 0; i < 50; i++) await nextImmediate()
    expect([turns, engine.snapshot().steps]).toEqual([turnsAfter, steps])
  })
})
