import { setImmediate as nextImmediate } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { FakeModel } from '../../../test/support/inference/fake-model.ts'
import {
  createJob,
  imagePrompt,
  readAnswer,
  type Answer,
} from '../../../test/support/inference/jobs.ts'
import { createEngine } from '../engine.ts'
import type { Engine, GenerateJob } from '../job.ts'

const never = new AbortController().signal
const caches = { imageBytes: 10_000 }

type Options = Parameters<typeof createEngine>[0]

interface Seen {
  readonly call: 'step' | 'look'
  readonly patches?: number
}

/** Steps of 10 ms on a virtual clock, in which a patch of an image takes one. */
function start({ slots = 4, ...options }: Partial<Options> & { slots?: number } = {}) {
  const clock = { ms: 0 }
  const calls: Seen[] = []
  const hooks = {
    /** Settles when a look may go on. */
    onLook: (): Promise<void> | void => undefined,
  }
  const model = new FakeModel(
    { slots },
    {
      onStep() {
        clock.ms += 10
        calls.push({ call: 'step' })
      },
      async onLook({ gridHw: [rows, columns] }) {
        calls.push({ call: 'look', patches: rows * columns })
        clock.ms += 4
        await hooks.onLook()
      },
    },
  )
  const engine = createEngine({ model, queueLimit: 200, caches, now: () => clock.ms, ...options })
  const until = async (condition: () => boolean) => {
    while (!condition()) await nextImmediate()
  }
  const looked = () => calls.filter(({ call }) => call === 'look')
  return { engine, model, clock, calls, looked, hooks, until }
}

function ask(engine: Engine, job: Partial<GenerateJob>, signal = never): Promise<Answer> {
  return readAnswer(engine.generate(createJob({ stopIds: [], ...job }), signal))
}

/** The answer of an engine that does nothing else. */
async function plain(job: Partial<GenerateJob>): Promise<number[]> {
  return (await ask(createEngine({ model: new FakeModel(), queueLimit: 1 }), job)).ids
}

const small = imagePrompt([4, 4])
const large = imagePrompt([10, 20])

describe('while an image is looked at', () => {
  it('streams get a token between two pieces, and prompts are read', async () => {
    const { engine, calls } = start()
    const stream = ask(engine, { maxTokens: 70 })
    const seen = ask(engine, large)
    const prompt = { promptIds: new Int32Array(40).fill(4), maxTokens: 20 }
    expect((await ask(engine, prompt)).ids).toEqual(await plain(prompt))
    expect((await stream).ids).toEqual(await plain({ maxTokens: 70 }))
    expect((await seen).ids).toEqual(await plain(large))
    const pieces = calls.flatMap(({ call }, at) => (call === 'look' ? [at] : []))
    expect(pieces.length).toBeGreaterThan(3)
    for (const [i, at] of pieces.slice(1).entries()) expect(at - pieces[i]!).toBeGreaterThan(1)
    expect(engine.snapshot()).toMatchObject({ slotsInUse: 0, visionRuns: 1 })
  })

  it('fifty streams get a token between any two pieces of a request with sixteen of them', async () => {
    const { engine, calls, until } = start({ slots: 51, caches: { imageBytes: 1_000_000 } })
    const streams = Array.from({ length: 50 }, () => ask(engine, { maxTokens: 110 }))
    await until(() => calls.length > 3)
    const images = Array.from({ length: 16 }, () => [4, 6] as [number, number])
    const seen = await ask(engine, { ...imagePrompt(...images), tenant: 'other', maxTokens: 1 })
    expect(seen.ids).toHaveLength(1)
    const order = calls.map(({ call }) => call).join(' ')
    expect(order.split('look').length - 1).toBeGreaterThanOrEqual(16)
    expect(order).not.toContain('look look')
    for (const { ids } of await Promise.all(streams)) expect(ids).toHaveLength(110)
  })

  it('a prompt that is read beside it has as much time as the image', async () => {
    const { engine, clock, calls, until } = start({ prefillChunkTokens: 8, stepTokenBudget: 8 })
    const seen = ask(engine, large)
    await until(() => calls.length > 1)
    const from = clock.ms
    await ask(engine, { promptIds: new Int32Array(80).fill(4), maxTokens: 1 })
    // Ten steps of 10 ms.
    expect(clock.ms - from).toBeLessThan(2.2 * 100)
    await seen
  })

  it('those who come for the same image wait for that one run', async () => {
    const { engine, model, calls, until } = start({ caches: {} })
    const first = ask(engine, large)
    await until(() => calls.length > 0)
    const more = Array.from({ length: 3 }, () => ask(engine, large))
    const expected = await plain(large)
    for (const { ids } of await Promise.all([first, ...more])) expect(ids).toEqual(expected)
    expect([model.looks, model.openLooks]).toEqual([1, 0])
  })

  it("another tenant's small image does not wait for its end", async () => {
    const { engine, model, clock, calls, looked, until } = start()
    const big = Array.from({ length: 2 }, () => ask(engine, { ...large, tenant: 'big' }))
    await until(() => calls.length > 0)
    await ask(engine, { ...small, tenant: 'other', maxTokens: 1 })
    const smallDoneMs = clock.ms
    for (const { ids } of await Promise.all(big)) expect(ids).toEqual(await plain(large))
    expect(smallDoneMs).toBeLessThan(clock.ms / 2)
    expect(looked().at(-1)!.patches).toBe(200)
    expect(model.looks).toBe(2)
  })

  it('no more than two are under way', async () => {
    const { engine, model, hooks } = start({ slots: 7 })
    let most = 0
    const stream = ask(engine, { maxTokens: 120 })
    hooks.onLook = () => void (most = Math.max(most, model.openLooks))
    const jobs = [20, 18, 16, 14, 12, 10].map((columns, tenant) =>
      ask(engine, { ...imagePrompt([8, columns]), tenant: `${tenant}`, maxTokens: 1 }),
    )
    await Promise.all([stream, ...jobs])
    expect([model.looks, most, model.openLooks]).toEqual([6, 2, 0])
  })

  it('images begun for those who left do not keep others from being begun', async () => {
    const { engine, model, calls, looked, until } = start({ slots: 6 })
    const images = [0, 1, 2].map((shade) => ({
      gridHw: [8, 16] as const,
      patches: new Uint8Array(128 * 12).fill(shade),
    }))
    const [x, p, q] = images
    const short = imagePrompt([8, 16]).promptIds
    const long = imagePrompt([8, 16], [8, 16], [8, 16]).promptIds
    const stream = ask(engine, { maxTokens: 100 })
    await until(() => calls.length > 3)
    const all = ask(engine, { promptIds: long, images: [x!, p!, q!], maxTokens: 1 })
    const leaving = new AbortController()
    const first = ask(engine, { promptIds: short, images: [p!] }, leaving.signal)
    await until(() => looked().length > 0)
    // Shorter, so that it passes.
    const second = ask(engine, { promptIds: short.subarray(1), images: [q!] }, leaving.signal)
    await until(() => model.openLooks === 2)
    leaving.abort()
    await Promise.allSettled([first, second])
    await Promise.all([all, stream])
    expect([engine.snapshot().slotsInUse, model.openLooks]).toEqual([0, 0])
  })

  it('who leaves frees the slot at once, and others get what it brings', async () => {
    const { engine, model, calls, until } = start()
    const controller = new AbortController()
    const left = ask(engine, large, controller.signal)
    await until(() => calls.length > 0)
    const other = ask(engine, large)
    await nextImmediate()
    controller.abort()
    await expect(left).rejects.toMatchObject({ code: 'cancelled' })
    expect((await other).ids).toEqual(await plain(large))
    expect([model.looks, model.openLooks]).toEqual([1, 0])
  })

  it('what nobody waits for any more is given up', async () => {
    const { engine, model, calls, looked, until } = start({ slots: 1 })
    const controller = new AbortController()
    const left = ask(engine, large, controller.signal)
    await until(() => calls.length > 0)
    controller.abort()
    await expect(left).rejects.toMatchObject({ code: 'cancelled' })
    expect((await ask(engine, { maxTokens: 5 })).ids).toEqual(await plain({ maxTokens: 5 }))
    expect([looked().length, model.openLooks, model.openSlots]).toEqual([1, 0, 0])
    expect((await ask(engine, large)).ids).toEqual(await plain(large))
    expect(model.looks).toBe(2)
  })

  it('a deadline ends who waits for it', async () => {
    const { engine, model, until } = start()
    const late = ask(engine, { ...large, timeoutMs: 6 })
    await expect(late).rejects.toMatchObject({ code: 'deadline_exceeded' })
    await until(() => model.openLooks === 0)
    expect(model.openSlots).toBe(0)
  })

  it('a failure is for those who wait for it, and is not remembered', async () => {
    const { engine, model, hooks } = start()
    hooks.onLook = () => Promise.reject(new Error('bad graph'))
    const stream = ask(engine, { maxTokens: 40 })
    const waiting = [ask(engine, small), ask(engine, small)]
    for (const outcome of await Promise.allSettled(waiting)) {
      expect(outcome).toMatchObject({
        reason: { code: 'internal', cause: { message: 'bad graph' } },
      })
    }
    expect([model.looks, model.openLooks]).toEqual([1, 0])
    hooks.onLook = () => undefined
    expect((await ask(engine, small)).ids).toEqual(await plain(small))
    expect((await stream).ids).toEqual(await plain({ maxTokens: 40 }))
    expect(model.looks).toBe(2)
  })

  it('an image that cannot be begun fails in the same way', async () => {
    const { engine, model } = start()
    model.beginImage = () => {
      throw new RangeError('no such grid')
    }
    await expect(ask(engine, small)).rejects.toMatchObject({
      code: 'internal',
      cause: { message: 'no such grid' },
    })
    await engine.close()
  })

  it('close() ends all jobs at once, and waits for the piece', async () => {
    const { engine, model, calls, hooks, until } = start()
    let goOn = () => {}
    hooks.onLook = () => new Promise((resolve) => (goOn = resolve))
    const seen = ask(engine, small)
    await until(() => calls.length > 0)
    let closed = false
    const closing = engine.close().then(() => (closed = true))
    await expect(seen).rejects.toMatchObject({ code: 'shutting_down' })
    for (let i = 0; i < 20; i++) await nextImmediate()
    expect(closed).toBe(false)
    goOn()
    await closing
    expect([model.openSlots, model.openLooks]).toEqual([0, 0])
    await model.close()
  })

  it('time counts for its sequence, and once for the work of all', async () => {
    const { engine } = start({ caches: {} })
    const [first] = await Promise.all([
      ask(engine, { ...small, maxTokens: 1 }),
      ask(engine, { ...small, maxTokens: 1 }),
    ])
    expect(first.end.timings).toEqual({ queueMs: 0, visionMs: 4, prefillMs: 10, decodeMs: 0 })
    await engine.close()
    // Both prompts in one step, and the four tokens of the image, in 14 ms.
    const work = 2 * small.promptIds.length + 4
    expect((engine.snapshot().workPerSecond / 1_000) * 14).toBeCloseTo(work, 1)
  })
})
