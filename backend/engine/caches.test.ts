import { setImmediate as nextImmediate } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { ServiceError } from '../../shared/api/errors.ts'
import { FakeModel, type FakeModelHooks } from '../../test/support/inference/fake-model.ts'
import {
  createJob,
  imagePrompt,
  readAnswer,
  type Answer,
} from '../../test/support/inference/jobs.ts'
import { createEngine } from './engine.ts'
import type { Engine, GenerateJob } from './job.ts'
import type { CacheLimits } from './memory/cache-limits.ts'

const never = new AbortController().signal
const everything: CacheLimits = { kvTokens: 4096, prefixTokens: Infinity, imageBytes: 10_000 }

const expectedCodes: ReadonlySet<string> = new Set(['cancelled', 'queue_full'])

function start(caches = everything, hooks: FakeModelHooks = {}, slots = 4) {
  const model = new FakeModel({ contextTokens: 2048, slots }, hooks)
  return { model, engine: createEngine({ model, queueLimit: 200, caches }) }
}

function ask(engine: Engine, job: Partial<GenerateJob>, signal = never): Promise<Answer> {
  return readAnswer(engine.generate(createJob(job), signal))
}

/** The answer of an engine without caches that does nothing else. */
async function plain(job: Partial<GenerateJob>): Promise<number[]> {
  return (await ask(start({}).engine, job)).ids
}

/** Tokens of several choices come in an order that depends on the traffic. */
function sortedIds({ ids }: Answer): number[] {
  return ids.toSorted((a, b) => a - b)
}

function text(tokens: number, from = 0): Int32Array {
  return Int32Array.from({ length: tokens }, (_, at) => ((at + from) * 7) % 50)
}

function joined(...parts: readonly (readonly number[] | Int32Array)[]): Int32Array {
  return Int32Array.from(parts.flatMap((part) => [...part]))
}

async function settle(engine: Engine): Promise<void> {
  for (let i = 0; i < 50 && engine.snapshot().slotsInUse > 0; i++) await nextImmediate()
}

describe('prefix cache', () => {
  it.each([31, 32, 33, 64, 65, 200])(
    'answers a prompt of %i tokens twice alike',
    async (tokens) => {
      const { engine, model } = start()
      const job = { promptIds: text(tokens), maxTokens: 40, stopIds: [] }
      const first = await ask(engine, job)
      const stepsBefore = model.steps.length
      const second = await ask(engine, job)
      expect(first.ids).toEqual(await plain(job))
      expect(second.ids).toEqual(first.ids)
      const cached = Math.floor((tokens - 1) / 32) * 32
      expect([first.end.cachedTokens, second.end.cachedTokens]).toEqual([0, cached])
      expect(model.steps[stepsBefore]![0]!.tokenIds).toHaveLength(tokens - cached)
    },
  )

  it('reuses a shared beginning while the first answer is still being made', async () => {
    const { engine } = start()
    const system = text(70)
    const slow = ask(engine, { promptIds: joined(system, [1]), maxTokens: 60, stopIds: [] })
    while (engine.snapshot().steps < 5) await nextImmediate()
    const job = { promptIds: joined(system, [2, 3]), maxTokens: 5, stopIds: [] }
    const other = await ask(engine, job)
    expect(other.end.cachedTokens).toBe(64)
    expect(other.ids).toEqual(await plain(job))
    await slow
  })

  it('reuses question and answer in the next turn', async () => {
    const { engine } = start()
    const question = text(50)
    const { ids } = await ask(engine, { promptIds: question, maxTokens: 60, stopIds: [] })
    const job = { promptIds: joined(question, ids, text(20, 9)), maxTokens: 20 }
    const next = await ask(engine, job)
    // The last token of an answer is never run: 109 of 110 are known.
    expect(next.end.cachedTokens).toBe(96)
    expect(next.ids).toEqual(await plain(job))
  })

  it('does not take one image for another, nor another place for the same', async () => {
    const { engine } = start()
    const { promptIds, images } = imagePrompt([12, 12])
    const other = images.map((image) => ({ ...image, patches: image.patches.map((v) => v ^ 1) }))
    for (const job of [
      { promptIds, images },
      { promptIds, images: other },
      { promptIds: joined([1], promptIds), images },
    ]) {
      const answer = await ask(engine, job)
      expect(answer.end.cachedTokens).toBe(0)
      expect(answer.ids).toEqual(await plain(job))
    }
  })

  it('skips vision runs of images it covers, and not of those it covers in part', async () => {
    const { engine, model } = start({ ...everything, imageBytes: 0 })
    const { promptIds, images } = imagePrompt([12, 12], [12, 12])
    const job = { promptIds, images, maxTokens: 9 }
    const first = await ask(engine, job)
    expect(model.looks).toBe(2)
    // 76 tokens: the first image ends at 37, the second at 74; 64 are known.
    const second = await ask(engine, job)
    expect([model.looks, second.end.cachedTokens]).toEqual([3, 64])
    expect(second.ids).toEqual(first.ids)
    const longer = { ...job, promptIds: joined(promptIds, text(60)) }
    await ask(engine, longer)
    const covered = await ask(engine, longer)
    expect([model.looks, covered.end.cachedTokens]).toEqual([4, 128])
    expect(covered.ids).toEqual(await plain(longer))
  })

  it('never shares between tenants', async () => {
    const { engine, model } = start()
    const { promptIds, images } = imagePrompt([12, 12])
    const job = { promptIds: joined(promptIds, text(40)), images, maxTokens: 50, stopIds: [] }
    const cached = async (tenant: string) =>
      (await ask(engine, { ...job, tenant })).end.cachedTokens
    expect([await cached('a'), await cached('b')]).toEqual([0, 0])
    expect(model.looks).toBe(2)
    expect([await cached('a'), await cached('b')]).toEqual([64, 64])
    expect(model.looks).toBe(2)
  })

  it('makes no step less for a tenant whose picture and prompt another one has asked about', async () => {
    const { promptIds, images } = imagePrompt([12, 12])
    const job = { promptIds: joined(promptIds, text(40)), images, maxTokens: 50, stopIds: [] }
    const workAfter = async (...earlier: string[]) => {
      const { engine, model } = start()
      for (const tenant of earlier) await ask(engine, { ...job, tenant })
      const [steps, looks] = [model.steps.length, model.looks]
      await ask(engine, { ...job, tenant: 'b' })
      const tokens = model.steps.slice(steps).map((rows) => rows.map((row) => row.tokenIds.length))
      return { tokens, looks: model.looks - looks }
    }
    const cold = await workAfter()
    expect(await workAfter('a')).toEqual(cold)
    expect(await workAfter('b')).not.toEqual(cold)
  })

  it('keeps nothing of a failed step', async () => {
    const model = new FakeModel(
      { contextTokens: 2048 },
      {
        onStep: () => {
          if (model.steps.length === 1) throw new Error('driver')
        },
      },
    )
    const engine = createEngine({ model, queueLimit: 9, caches: everything })
    const job = { promptIds: text(100) }
    await expect(ask(engine, job)).rejects.toMatchObject({ code: 'internal' })
    const answer = await ask(engine, job)
    expect(answer.end.cachedTokens).toBe(0)
    expect(answer.ids).toEqual(await plain(job))
  })

  it('shares a prompt among choices and with later requests', async () => {
    const sampling = { temperature: 1, topP: 1, seed: 3 }
    const job = { promptIds: text(90), choices: 3, maxTokens: 40, stopIds: [], sampling }
    const expected = await ask(start({}).engine, job)
    const { engine, model } = start({ ...everything, kvTokens: 300 })
    const first = await ask(engine, job)
    const second = await ask(engine, job)
    expect([first, second].map(sortedIds)).toEqual([sortedIds(expected), sortedIds(expected)])
    expect(second.end.cachedTokens).toBe(64)
    await settle(engine)
    expect(model.slotTokens).toBe(0)
  })

  it('in the deterministic mode restores whole chunks, and prompts only', async () => {
    const model = new FakeModel({ contextTokens: 2048 })
    const engine = createEngine({ model, queueLimit: 9, caches: everything, deterministic: true })
    const job = { promptIds: text(100), maxTokens: 60, stopIds: [] }
    const { ids } = await ask(engine, job)
    const next = await ask(engine, { ...job, promptIds: joined(text(100), ids, [1, 2, 3]) })
    expect(next.end.cachedTokens).toBe(64)
    expect((await ask(engine, job)).end.cachedTokens).toBe(64)
  })
})

describe('image features', () => {
  it('are made once for a hundred equal images at once', async () => {
    const { engine, model } = start()
    const job = { ...imagePrompt([4, 4]), maxTokens: 4, stopIds: [] }
    const answers = await Promise.all(Array.from({ length: 100 }, () => ask(engine, job)))
    expect([model.looks, engine.snapshot().visionRuns]).toEqual([1, 1])
    const expected = await plain(job)
    for (const { ids } of answers) expect(ids).toEqual(expected)
  })

  it('are made once for an image that stands twice in one request', async () => {
    const { engine, model } = start({})
    const [image] = imagePrompt([4, 4]).images
    const job = { promptIds: imagePrompt([4, 4], [4, 4]).promptIds, images: [image!, image!] }
    await ask(engine, job)
    expect(model.looks).toBe(1)
  })

  it('are made again once they had to make room', async () => {
    const bytesOfOne = 4 * 2 * 4
    const { engine, model } = start({ imageBytes: bytesOfOne })
    const [a, b] = imagePrompt([4, 4], [4, 4]).images
    const { promptIds } = imagePrompt([4, 4])
    for (const image of [a!, b!, b!, a!]) await ask(engine, { promptIds, images: [image] })
    expect(model.looks).toBe(3)
    expect(engine.snapshot().memory.imageBytes).toBe(bytesOfOne)
  })

  it('fail for all who wait, and are tried again by the next', async () => {
    let failing = true
    const { engine, model } = start(everything, {
      onLook: () => {
        if (failing) throw new Error('bad graph')
      },
    })
    const job = imagePrompt([4, 4])
    const results = await Promise.allSettled([1, 2, 3, 4].map(() => ask(engine, job)))
    for (const result of results) {
      expect(result).toMatchObject({
        reason: { code: 'internal', cause: { message: 'bad graph' } },
      })
    }
    expect(model.looks).toBe(1)
    failing = false
    expect((await ask(engine, job)).ids).toEqual(await plain(job))
    expect(model.looks).toBe(2)
  })

  it('reach the others when the first to ask is cancelled meanwhile', async () => {
    const controller = new AbortController()
    const { engine, model } = start(everything, { onLook: () => controller.abort() })
    const job = imagePrompt([4, 4])
    const [first, second] = await Promise.allSettled([
      ask(engine, job, controller.signal),
      ask(engine, job),
    ])
    expect(first).toMatchObject({ reason: { code: 'cancelled' } })
    expect(second).toMatchObject({ value: { ids: await plain(job) } })
    expect(model.looks).toBe(1)
  })

  it('of different images are made in turn, the next beside the steps of those that have theirs', async () => {
    const calls: string[] = []
    const { engine } = start(everything, {
      onLook: () => void calls.push('image'),
      onStep: () => void calls.push('step'),
    })
    const [a, b] = imagePrompt([4, 4], [4, 4]).images
    const { promptIds } = imagePrompt([4, 4])
    const jobs = [a!, a!, b!, a!].map((image) =>
      ask(engine, { promptIds, images: [image], maxTokens: 3, stopIds: [] }),
    )
    await Promise.all(jobs)
    expect(calls.slice(0, 3)).toEqual(['image', 'step', 'image'])
    expect(calls.filter((call) => call === 'image')).toHaveLength(2)
  })
})

describe('cache memory', () => {
  it('refuses a prompt that can never fit, and names both numbers', async () => {
    const { engine } = start({ kvTokens: 90 })
    await expect(ask(engine, { promptIds: text(88) })).rejects.toMatchObject({
      code: 'context_length_exceeded',
      message: expect.stringMatching(/88 tokens.*88 tokens/) as string,
    })
    const { end, ids } = await ask(engine, { promptIds: text(80), maxTokens: 99, stopIds: [] })
    expect([ids.length, ...end.finishReasons]).toEqual([8, 'length'])
  })

  it('lets a sequence wait until there is memory, in the order of arrival', async () => {
    const { engine } = start({ kvTokens: 100 })
    const order: string[] = []
    const run = async (name: string, tokens: number) => {
      await ask(engine, { promptIds: text(tokens), maxTokens: 4, stopIds: [] })
      order.push(name)
    }
    const jobs = [run('first', 60), run('large', 94), run('small', 4)]
    while (engine.snapshot().steps < 1) await nextImmediate()
    expect(engine.snapshot()).toMatchObject({ slotsInUse: 1, queued: 2 })
    await Promise.all(jobs)
    expect(order).toEqual(['first', 'large', 'small'])
  })

  it('frees the place of a waiting sequence that is cancelled', async () => {
    const { engine } = start({ kvTokens: 100 })
    const running = ask(engine, { promptIds: text(60), maxTokens: 20, stopIds: [] })
    const controller = new AbortController()
    const waiting = ask(engine, { promptIds: text(90) }, controller.signal)
    while (engine.snapshot().steps < 2) await nextImmediate()
    const small = ask(engine, { promptIds: text(4), maxTokens: 1 })
    controller.abort()
    await expect(waiting).rejects.toMatchObject({ code: 'cancelled' })
    await small
    expect(engine.snapshot()).toMatchObject({ slotsInUse: 1, queued: 0 })
    await running
  })

  it('evicts cached blocks before it lets a sequence wait', async () => {
    const { engine } = start({ ...everything, kvTokens: 200 })
    await ask(engine, { promptIds: text(100), maxTokens: 2 })
    await settle(engine)
    expect(engine.snapshot().memory).toMatchObject({ slotTokens: 0, prefixTokens: 96 })
    await ask(engine, { promptIds: text(120, 3), maxTokens: 2 })
    await settle(engine)
    expect(engine.snapshot().memory).toMatchObject({ slotTokens: 0, prefixTokens: 64 })
    expect((await ask(engine, { promptIds: text(120, 3) })).end.cachedTokens).toBe(64)
  })

  it('restores of a prefix what fits beside the prompt that needs it', async () => {
    const { engine } = start({ ...everything, kvTokens: 128 })
    const job = { promptIds: text(72), maxTokens: 8, stopIds: [] }
    const first = await ask(engine, job)
    const second = await ask(engine, job)
    expect([first.end.cachedTokens, second.end.cachedTokens]).toEqual([0, 32])
    expect(second.ids).toEqual(first.ids)
  })

  it('makes a growing answer wait rather than exceed the limit, and brings all to their ends', async () => {
    const job = { promptIds: text(20), maxTokens: 60, stopIds: [] }
    const { engine, model } = start({ kvTokens: 100 })
    const answers = await Promise.all([1, 2, 3, 4, 5, 6].map(() => ask(engine, job)))
    const expected = await plain(job)
    for (const { ids } of answers) expect(ids).toEqual(expected)
    expect(Math.max(...model.steps.map((rows) => rows.length))).toBeGreaterThan(1)
    // With room for all, six answers on four slots are done in two rounds.
    expect(model.steps.length).toBeGreaterThan(2 * 61)
  })

  it.each([
    ['everything on', { kvTokens: 400, prefixTokens: Infinity, imageBytes: 100 }],
    ['hardly any memory', { kvTokens: 120, prefixTokens: Infinity, imageBytes: 10_000 }],
    ['a small prefix cache', { kvTokens: 400, prefixTokens: 64, imageBytes: 0 }],
    ['no caches', { kvTokens: 200, prefixTokens: 0, imageBytes: 0 }],
  ])('is never exceeded, and empty afterwards, whatever comes: %s', async (_, caches) => {
    let random = 7
    const below = (limit: number) => (random = (random * 48_271) % 2_147_483_647) % limit
    const limit = caches.kvTokens
    const { engine, model } = start(caches, {
      onStep: () => {
        expect(model.slotTokens + model.keptTokens).toBeLessThanOrEqual(limit)
        const { memory } = engine.snapshot()
        expect(memory.slotTokens).toBeGreaterThanOrEqual(model.slotTokens)
        expect(memory.prefixTokens).toBe(model.keptTokens)
        expect(memory.prefixTokens).toBeLessThanOrEqual(caches.prefixTokens)
        expect(memory.slotTokens + memory.prefixTokens).toBeLessThanOrEqual(limit)
        expect(memory.imageBytes).toBeLessThanOrEqual(caches.imageBytes)
      },
    })
    const jobs = Array.from({ length: 300 }, async (__, index) => {
      const image = below(3) === 0 ? imagePrompt([4, 2 + 2 * below(4)]) : undefined
      const prompt = joined(image?.promptIds ?? [], text(1 + below(70), below(2)))
      const job: Partial<GenerateJob> = {
        tenant: `tenant-${below(2)}`,
        promptIds: prompt,
        images: image?.images ?? [],
        maxTokens: 1 + below(60),
        stopIds: below(2) === 0 ? [] : [5],
        choices: 1 + (below(5) === 0 ? below(3) : 0),
        sampling: { temperature: below(2), topP: 1, seed: index },
      }
      const controller = new AbortController()
      const abortAt = below(4) === 0 ? below(400) : Infinity
      const pending = ask(engine, job, controller.signal)
      const aborting = (async () => {
        for (let i = 0; i < Math.min(abortAt, 400); i++) await nextImmediate()
        if (abortAt < Infinity) controller.abort()
      })()
      const answer = await pending.catch((error: unknown) => {
        if (!(error instanceof ServiceError) || !expectedCodes.has(error.code)) throw error
      })
      await aborting
      if (answer === undefined) return []
      const alone = await ask(start({ kvTokens: limit }).engine, job)
      return [{ ids: sortedIds(answer), expected: sortedIds(alone) }]
    })
    const answered = (await Promise.all(jobs)).flat()
    expect(answered.length).toBeGreaterThan(100)
    expect(answered.map(({ ids }) => ids)).toEqual(answered.map(({ expected }) => expected))
    await settle(engine)
    expect(model.slotTokens).toBe(0)
    expect(engine.snapshot()).toMatchObject({
      slotsInUse: 0,
      queued: 0,
      cachedTokens: 0,
      memory: { slotTokens: 0 },
    })
  })
})
