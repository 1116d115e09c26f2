import { describe, expect, it } from 'vitest'
import { FakeModel } from '../../test/support/inference/fake-model.ts'
import { createJob, imagePrompt, readAnswer } from '../../test/support/inference/jobs.ts'
import { createEngine } from './engine.ts'
import type { GenerateJob } from './job.ts'
import { workPerSampledToken } from './queue/work.ts'

const never = new AbortController().signal

/** Milliseconds a step takes: reading the weights, and each token; near what was measured for four layers. */
const stepCost = { fixed: 24, token: 4 }

/** An engine on a clock that only the model moves. */
function start({ slots = 4, ...options }: Partial<Options> & { slots?: number } = {}) {
  const clock = { ms: 0 }
  const model = new FakeModel(
    { slots, contextTokens: 4_096 },
    {
      onStep: (rows) => {
        const tokens = rows.reduce((sum, row) => sum + row.tokenIds.length, 0)
        clock.ms += stepCost.fixed + stepCost.token * tokens
      },
      onLook: () => void (clock.ms += 50),
    },
  )
  const engine = createEngine({ model, queueLimit: 2_000, now: () => clock.ms, ...options })
  const ask = async (changes: Partial<GenerateJob>) => {
    const startedMs = clock.ms
    const answer = await readAnswer(engine.generate(createJob({ stopIds: [], ...changes }), never))
    return { ...answer, tookMs: clock.ms - startedMs }
  }
  /** Settles once the model's clock shows `ms`. */
  const reach = async (ms: number) => {
    while (clock.ms < ms) await new Promise(setImmediate)
  }
  return { engine, model, clock, ask, reach }
}

type Options = Parameters<typeof createEngine>[0]

/** Many jobs that are not waited for; `end` aborts them. */
function flood(engine: ReturnType<typeof createEngine>, jobs: readonly Partial<GenerateJob>[]) {
  const controllers = jobs.map(() => new AbortController())
  const settled = jobs.map(async (changes, index) => {
    const job = createJob({ stopIds: [], ...changes })
    await readAnswer(engine.generate(job, controllers[index]!.signal)).catch(() => undefined)
  })
  const end = () => {
    for (const controller of controllers) controller.abort()
    return Promise.all(settled)
  }
  return { end, settled }
}

async function idle(engine: ReturnType<typeof createEngine>): Promise<void> {
  while (engine.snapshot().slotsInUse > 0) await new Promise(setImmediate)
}

const times = <T>(count: number, make: (index: number) => T) =>
  Array.from({ length: count }, (_, index) => make(index))

describe('fair shares', () => {
  it.each([
    ['short prompts and long answers', 10, 40],
    ['long prompts and short answers', 400, 10],
    ['long prompts and long answers', 400, 40],
  ])('a thousand jobs of one tenant hardly delay another tenant: %s', async (_, prompt, tokens) => {
    const greedy = { tenant: 'a', promptIds: new Int32Array(prompt).fill(3), maxTokens: tokens }
    const single = { tenant: 'b', promptIds: new Int32Array(100).fill(4), maxTokens: 60 }
    const alone = await start().ask(single)
    const { engine, model, clock, ask, reach } = start()
    const endsMs: number[] = []
    const { end, settled } = flood(
      engine,
      times(1_000, () => greedy),
    )
    for (const job of settled) void job.then(() => endsMs.push(clock.ms))
    await reach(5_050)
    expect(engine.snapshot().queued).toBeGreaterThan(900)
    const arrivedMs = clock.ms
    const delayed = await ask(single)
    expect(delayed.ids).toEqual(alone.ids)
    const { queueMs } = delayed.end.timings
    expect(queueMs).toBeLessThanOrEqual(endsMs.find((ms) => ms > arrivedMs)! - arrivedMs)
    expect(delayed.tookMs - queueMs).toBeLessThanOrEqual(1.5 * alone.tookMs)
    await end()
    await idle(engine)
    expect(model.openSlots).toBe(0)
  })

  it('serves tenants by weight', async () => {
    const weights = new Map([['a', 3]])
    const { engine, clock, reach } = start({ tenantWeights: weights })
    const counts = { a: 0, b: 0 }
    const jobs = times(400, (index) => (index % 2 === 0 ? ('a' as const) : ('b' as const)))
    const { end, settled } = flood(
      engine,
      jobs.map((tenant) => ({ tenant, maxTokens: 20 })),
    )
    settled.forEach((job, index) => {
      void job.then(() => (counts[jobs[index]!] += clock.ms <= 30_000 ? 1 : 0))
    })
    await reach(30_001)
    expect(counts.a / counts.b).toBeGreaterThan(2.7)
    expect(counts.a / counts.b).toBeLessThan(3.3)
    await end()
  })
})

describe('priorities', () => {
  it('starts interactive jobs first, and a batch job now and then', async () => {
    const { engine } = start({ slots: 1 })
    const order: string[] = []
    const kinds = [...times(3, () => 'batch' as const), ...times(40, () => 'interactive' as const)]
    const { settled } = flood(
      engine,
      kinds.map((priority) => ({ priority, maxTokens: 2 })),
    )
    settled.forEach((job, index) => void job.then(() => order.push(kinds[index]!)))
    expect(engine.snapshot()).toMatchObject({ queuedInteractive: 40, queuedBatch: 3, queued: 43 })
    await Promise.all(settled)
    const batch = order.flatMap((kind, at) => (kind === 'batch' ? [at] : []))
    expect(batch).toEqual([15, 31, 42])
  })
})

describe('a full queue', () => {
  it('estimates when to retry from the measured speed, correctly', async () => {
    const { engine, clock, ask, reach } = start({ slots: 1, queueLimit: 4 })
    const jobs = { tenant: 'a', maxTokens: 50, promptIds: new Int32Array(60).fill(1) }
    // Learns that answers take all the tokens they may.
    for (let i = 0; i < 20; i++) await ask(jobs)
    const oneJobSeconds = (await ask(jobs)).tookMs / 1_000
    const { end } = flood(
      engine,
      times(5, () => jobs),
    )
    await reach(clock.ms + 1)
    const refused = await ask(jobs).catch((error: unknown) => error)
    expect(refused).toMatchObject({ code: 'queue_full', status: 429 })
    const { retryAfterSeconds } = refused as { retryAfterSeconds: number }
    expect(retryAfterSeconds).toBe(Math.ceil(oneJobSeconds))
    await reach(clock.ms + retryAfterSeconds * 1_000)
    expect((await ask(jobs)).ids).toHaveLength(50)
    await end()
  })

  it('counts work, and has room again when work has left it', async () => {
    const { engine, ask } = start({ slots: 1, queueWorkLimit: 1_000 })
    const job = (maxTokens: number) => ({ ...imagePrompt([4, 4]), maxTokens })
    const { end } = flood(engine, [job(100), job(400), job(400)])
    // Each has 7 tokens of prompt, 4 of them an image.
    expect(engine.snapshot().queuedWork).toBe(100 + 400 + 400 + 3 * (7 + 4))
    await expect(ask(job(200))).rejects.toMatchObject({
      code: 'queue_full',
      message: expect.stringMatching(/ 211 .* 1000 /) as string,
    })
    const small = ask(job(1))
    await end()
    expect((await small).ids).toHaveLength(1)
    expect((await ask(job(2_000))).ids).toHaveLength(2_000)
    expect(engine.snapshot()).toMatchObject({ queued: 0, queuedWork: 0, slotsInUse: 0 })
  })

  it('has a place for a tenant that has nothing waiting', async () => {
    const { engine, ask } = start({ slots: 1, queueLimit: 2 })
    const { end } = flood(
      engine,
      times(3, () => ({ tenant: 'a' })),
    )
    await expect(ask({ tenant: 'a' })).rejects.toMatchObject({ code: 'queue_full' })
    expect((await ask({ tenant: 'b' })).ids).toHaveLength(8)
    await end()
  })
})

describe('the throughput in the snapshot', () => {
  it('is what the model did in a second of its time', async () => {
    const { engine, ask } = start()
    expect(engine.snapshot().workPerSecond).toBe(50)
    const { tookMs } = await ask({ promptIds: new Int32Array(200).fill(1), maxTokens: 101 })
    const work = 200 + 100 * workPerSampledToken
    expect(engine.snapshot().workPerSecond).toBeCloseTo((work / tookMs) * 1_000, -1)
  })
})

describe('deadlines', () => {
  it('ends an answer with what it has', async () => {
    const { engine, model, ask } = start()
    const whole = await ask({ maxTokens: 100 })
    // The prompt of three takes 36 ms, each token 28.
    const { ids, end } = await ask({ maxTokens: 100, timeoutMs: 36 + 10 * 28 })
    expect(end).toMatchObject({ finishReasons: ['timeout'], completionTokens: 11 })
    expect(ids).toEqual(whole.ids.slice(0, 11))
    expect([model.openSlots, engine.snapshot().slotsInUse]).toEqual([0, 0])
  })

  it('ends all choices of a request, those that wait for a slot too', async () => {
    const { model, ask } = start({ slots: 2 })
    const { ids, end } = await ask({ maxTokens: 100, choices: 3, timeoutMs: 300 })
    expect(end.finishReasons).toEqual(['timeout', 'timeout', 'timeout'])
    expect(end.completionTokens).toBe(ids.length)
    expect(model.openSlots).toBe(0)
  })

  it.each([
    ['queued', { timeoutMs: 500 }, true],
    ['in vision', { ...imagePrompt([2, 2], [2, 2], [2, 2]), timeoutMs: 90 }, false],
    ['in prefill', { promptIds: new Int32Array(2_000).fill(1), timeoutMs: 2_200 }, false],
  ])('ends a job that is still %s with deadline_exceeded', async (_, job, busy) => {
    const { engine, model, ask } = start({ slots: 1 })
    const { end } = flood(engine, busy ? [{ maxTokens: 500 }] : [])
    const { steps } = engine.snapshot()
    await expect(ask(job)).rejects.toMatchObject({
      code: 'deadline_exceeded',
      status: 504,
      message: expect.stringContaining(`${job.timeoutMs} ms`) as string,
    })
    expect(engine.snapshot().queued).toBe(0)
    expect(engine.snapshot().steps - steps).toBeLessThan(25)
    await end()
    await idle(engine)
    expect(model.openSlots).toBe(0)
  })
})

describe('pacing', () => {
  it('keeps the tokens of a stream coming while a long prompt is read, and changes no answer', async () => {
    const stream = { promptIds: new Int32Array(5).fill(2), maxTokens: 400 }
    const long = { promptIds: Int32Array.from({ length: 3_000 }, (_, i) => i % 50), maxTokens: 20 }
    const [streamAlone, longAlone] = [await start().ask(stream), await start().ask(long)]

    const { clock, ask, reach, model } = start()
    const stepMs: number[] = []
    let lastMs = 0
    const { onStep } = model.hooks
    model.hooks.onStep = (rows) => {
      void onStep?.(rows)
      if (rows.some(({ tokenIds }) => tokenIds.length === 1)) stepMs.push(clock.ms - lastMs)
      lastMs = clock.ms
    }
    const streamed = ask(stream)
    await reach(500)
    const longAnswer = await ask(long)
    expect((await streamed).ids).toEqual(streamAlone.ids)
    expect(longAnswer.ids).toEqual(longAlone.ids)
    expect(Math.max(...stepMs.slice(1))).toBeLessThanOrEqual(2 * (stepCost.fixed + stepCost.token))
  })

  it('reads prompts in large chunks when nobody streams', async () => {
    const { ask, model } = start()
    await ask({ promptIds: new Int32Array(1_200).fill(1), maxTokens: 1 })
    expect(model.steps.map((rows) => rows[0]!.tokenIds.length)).toEqual([512, 512, 176])
  })

  it('cuts prompts at the same places whatever else runs, in the deterministic mode', async () => {
    const { ask, model, reach } = start({ deterministic: true })
    const stream = ask({ maxTokens: 60 })
    await reach(200)
    await Promise.all(times(3, () => ask({ promptIds: new Int32Array(150).fill(1), maxTokens: 2 })))
    await stream
    const chunks = model.steps.flat().map((row) => row.tokenIds.length)
    expect(chunks.filter((tokens) => tokens > 3)).toEqual([64, 64, 64, 64, 64, 64, 22, 22, 22])
  })
})
