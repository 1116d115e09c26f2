import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as nextImmediate } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createEngine } from '../../backend/engine/engine.ts'
import type { Engine, EngineEvent, GenerateJob } from '../../backend/engine/job.ts'
import { loadModel } from '../../backend/model/load-model.ts'
import type { Model } from '../../backend/model/model.ts'
import { createJob } from '../support/inference/jobs.ts'
import { nano, readGoldenCases, readGoldenImages } from './golden-cases.ts'

const cases = await readGoldenCases()
const never = new AbortController().signal

/** A long seeded answer about a text or a picture, for a tenant that has others next to it. */
async function longJob(id: string, seed: number): Promise<GenerateJob> {
  const golden = cases.find((each) => each.id === id)!
  return createJob({
    tenant: 'many',
    promptIds: Int32Array.from(golden.prompt_ids),
    images: await readGoldenImages(golden),
    maxTokens: 150,
    stopIds: [],
    controlIdsFrom: 1024,
    sampling: { temperature: 0.9, topP: 0.95, seed },
    topLogprobs: 1,
  })
}

const question = (promptTokens: number): GenerateJob =>
  createJob({
    tenant: 'one',
    promptIds: Int32Array.from({ length: promptTokens }, (_, at) => 100 + at),
    maxTokens: 5,
    stopIds: [],
    controlIdsFrom: 1024,
  })

/** Ids and log probabilities. */
async function read(engine: Engine, job: GenerateJob) {
  const told: Extract<EngineEvent, { type: 'tokens' }>['logprobs'][] = []
  for await (const event of engine.generate({ ...job, id: createJob().id }, never)) {
    if (event.type === 'tokens') told.push(event.logprobs)
  }
  return told.flat()
}

/**
 * Rows that were kept are identical to the last bit. Rows that are read again are sums in a different order, which in
 * 8 bits may give a different token where two are nearly equal; so that case is compared in float32.
 */
const modes = [
  { weights: 'q8', deterministic: true, kept: true, slots: 2, caches: {}, promptTokens: 40 },
  // The question takes all the memory.
  {
    weights: 'f32',
    deterministic: false,
    kept: false,
    slots: 1,
    caches: { kvTokens: 384 },
    promptTokens: 360,
  },
] as const

describe.each(modes)('an answer that gave way: $weights, rows kept: $kept', (mode) => {
  const { weights, deterministic, kept, slots, caches, promptTokens } = mode
  let model: Model
  let modelsDir: string
  beforeAll(async () => {
    modelsDir = await mkdtemp(join(tmpdir(), 'giving-way-'))
    model = await loadModel({ checkpointDir: nano, modelsDir, weights, slots, threads: 2 })
  })
  afterAll(async () => {
    await model.close()
    await rm(modelsDir, { recursive: true })
  })

  it('is the same as one that did not', async () => {
    const jobs = await Promise.all([longJob('text-story', 3), longJob('describe-g03', 4)])
    const alone: Awaited<ReturnType<typeof read>>[] = []
    for (const job of jobs) {
      alone.push(await read(createEngine({ model, queueLimit: 8, deterministic }), job))
    }
    const engine = createEngine({ model, queueLimit: 8, deterministic, caches })
    let running = jobs.length
    const answers = jobs.map((job) => read(engine, job).finally(() => (running -= 1)))
    let pauses = 0
    while (running === jobs.length) {
      const asked = { running: true }
      const answer = read(engine, question(promptTokens)).finally(() => (asked.running = false))
      for (; asked.running; await nextImmediate()) pauses += engine.snapshot().paused
      await answer
      const until = engine.snapshot().steps + 20
      while (running === jobs.length && engine.snapshot().steps < until) await nextImmediate()
    }
    const got = await Promise.all(answers)
    expect(pauses).toBeGreaterThan(0)
    const compared = (answer: (typeof got)[number]) =>
      kept ? answer : answer.map((token) => token?.id)
    expect(got.map(compared)).toEqual(alone.map(compared))
    expect(engine.snapshot()).toMatchObject({ slotsInUse: 0, paused: 0, cachedTokens: 0 })
    await engine.close()
  })
})
