import { setImmediate as nextImmediate } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { FakeModel } from '../../test/support/fake-model.ts'
import { createJob, imagePrompt, readAnswer, type Answer } from '../../test/support/jobs.ts'
import { createEngine } from './engine.ts'
import type { Engine, GenerateJob } from './job.ts'

const never = new AbortController().signal
const caches = { imageBytes: 10_000 }

type Options = Parameters<typeof createEngine>[0]

/** An engine whose vision runs take until the test ends them, oldest first. */
function start({ slots = 4, ...options }: Partial<Options> & { slots?: number } = {}) {
  const runs: { readonly end: () => void; readonly fail: (error: Error) => void }[] = []
  const onEncode = () => new Promise<void>((end, fail) => void runs.push({ end, fail }))
  const model = new FakeModel({ slots }, { onEncode })
  const engine = createEngine({ model, queueLimit: 200, caches, ...options })
  const looking = async () => {
    while (runs.length === 0) await nextImmediate()
  }
  const over = async () => {
    await looking()
    runs.shift()!.end()
  }
  const broken = async () => {
    await looking()
    runs.shift()!.fail(new Error('bad graph'))
  }
  return { engine, model, looking, over, broken }
}

function ask(engine: Engine, job: Partial<GenerateJob>, signal = never): Promise<Answer> {
  return readAnswer(engine.generate(createJob({ stopIds: [], ...job }), signal))
}

/** The answer of an engine that does nothing else. */
async function plain(job: Partial<GenerateJob>): Promise<number[]> {
  return (await ask(createEngine({ model: new FakeModel(), queueLimit: 1 }), job)).ids
}

async function settle(engine: Engine): Promise<void> {
  for (let i = 0; i < 50 && engine.snapshot().slotsInUse > 0; i++) await nextImmediate()
}

const picture = imagePrompt([4, 4])
const other = imagePrompt([2, 10])

describe('while an image is looked at', () => {
  it('streams go on, and prompts are read', async () => {
    const { engine, model, looking, over } = start()
    const stream = ask(engine, { maxTokens: 60 })
    const seen = ask(engine, picture)
    await looking()
    const prompt = { promptIds: new Int32Array(100).fill(4), maxTokens: 20 }
    expect((await ask(engine, prompt)).ids).toEqual(await plain(prompt))
    expect((await stream).ids).toEqual(await plain({ maxTokens: 60 }))
    expect(engine.snapshot()).toMatchObject({ slotsInUse: 1, visionRuns: 1 })
    await over()
    expect((await seen).ids).toEqual(await plain(picture))
    expect(model.encodes).toBe(1)
  })

  it('nothing turns when there is nothing else to do', async () => {
    let turns = 0
    const yieldToEvents = () => {
      turns += 1
      return nextImmediate()
    }
    const { engine, looking, over } = start({ yieldToEvents })
    const seen = ask(engine, picture)
    await looking()
    for (let i = 0; i < 5; i++) await nextImmediate()
    const before = turns
    for (let i = 0; i < 50; i++) await nextImmediate()
    expect(turns).toBe(before)
    await over()
    await seen
  })

  it('those who come for the same image wait for that one run', async () => {
    const { engine, model, looking, over } = start({ caches: {} })
    const first = ask(engine, picture)
    await looking()
    const more = Array.from({ length: 3 }, () => ask(engine, picture))
    await nextImmediate()
    await over()
    const expected = await plain(picture)
    for (const { ids } of await Promise.all([first, ...more])) expect(ids).toEqual(expected)
    expect(model.encodes).toBe(1)
  })

  it('another image waits, and is looked at while the first one is described', async () => {
    const { engine, model, looking, over } = start()
    const first = ask(engine, picture)
    const second = ask(engine, other)
    await over()
    await looking()
    expect((await first).ids).toEqual(await plain(picture))
    expect(model.encodes).toBe(2)
    await over()
    expect((await second).ids).toEqual(await plain(other))
  })

  it('who leaves frees the slot at once, and others get what the run brings', async () => {
    const { engine, model, looking, over } = start({ slots: 1 })
    const controller = new AbortController()
    const left = ask(engine, picture, controller.signal)
    await looking()
    controller.abort()
    await expect(left).rejects.toMatchObject({ code: 'cancelled' })
    expect((await ask(engine, { maxTokens: 5 })).ids).toEqual(await plain({ maxTokens: 5 }))
    await settle(engine)
    expect([model.openSlots, engine.snapshot().slotsInUse]).toEqual([0, 0])
    const merged = ask(engine, picture)
    await nextImmediate()
    await over()
    expect((await merged).ids).toEqual(await plain(picture))
    expect((await ask(engine, picture)).ids).toEqual(await plain(picture))
    expect(model.encodes).toBe(1)
  })

  it('a deadline ends who waits for it in time', async () => {
    const { engine, model, over } = start()
    const late = ask(engine, { ...picture, timeoutMs: 20 })
    await expect(late).rejects.toMatchObject({ code: 'deadline_exceeded' })
    await settle(engine)
    expect(model.openSlots).toBe(0)
    await over()
  })

  it('a failure is for those who wait for it, and is not remembered', async () => {
    const { engine, model, looking, over, broken } = start()
    const stream = ask(engine, { maxTokens: 40 })
    const waiting = [ask(engine, picture), ask(engine, picture)]
    await broken()
    for (const outcome of await Promise.allSettled(waiting)) {
      expect(outcome).toMatchObject({
        reason: { code: 'internal', cause: { message: 'bad graph' } },
      })
    }
    const again = ask(engine, picture)
    await looking()
    await over()
    expect((await again).ids).toEqual(await plain(picture))
    expect((await stream).ids).toEqual(await plain({ maxTokens: 40 }))
    expect(model.encodes).toBe(2)
  })

  it('close() ends all jobs at once, and waits for the run', async () => {
    const { engine, model, looking, over } = start()
    const seen = ask(engine, picture)
    await looking()
    let closed = false
    const closing = engine.close().then(() => (closed = true))
    await expect(seen).rejects.toMatchObject({ code: 'shutting_down' })
    for (let i = 0; i < 20; i++) await nextImmediate()
    expect([closed, model.openSlots]).toEqual([false, 0])
    await over()
    await closing
    await model.close()
  })

  it('time counts for its sequence, and once for the work of all', async () => {
    const clock = { ms: 0 }
    const { engine, looking, over } = start({ now: () => clock.ms })
    const seen = ask(engine, { ...picture, maxTokens: 1 })
    await looking()
    clock.ms += 0.5
    const { promptIds } = await readPrompt(engine)
    clock.ms += 0.5
    await over()
    const { end } = await seen
    expect(end.timings).toEqual({ queueMs: 0, visionMs: 1, prefillMs: 0, decodeMs: 0 })
    await engine.close()
    // Both prompts, and the four tokens the image has, in a millisecond; of the first half next to nothing is forgotten.
    const work = picture.promptIds.length + promptIds.length + 4
    expect(engine.snapshot().workPerSecond / 1_000).toBeCloseTo(work, 3)
  })
})

async function readPrompt(engine: Engine): Promise<GenerateJob> {
  const job = createJob({ maxTokens: 1 })
  await readAnswer(engine.generate(job, never))
  return job
}
