import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { CacheLimits } from '../../backend/engine/cache-limits.ts'
import { createEngine } from '../../backend/engine/engine.ts'
import type { Engine, GenerateJob, SamplingParams } from '../../backend/engine/job.ts'
import { loadModel } from '../../backend/model/load-model.ts'
import type { Model } from '../../backend/model/model.ts'
import { createJob, readAnswer } from '../support/jobs.ts'
import {
  nano,
  readGoldenCases,
  readGoldenImages,
  stopIds,
  type GoldenCase,
} from './golden-cases.ts'

const cases = await readGoldenCases()
const find = (id: string) => cases.find((golden) => golden.id === id)!
const never = new AbortController().signal
const everything: CacheLimits = { kvTokens: 8192, prefixTokens: Infinity, imageBytes: 1e7 }
const greedy: SamplingParams = { temperature: 0, topP: 1, seed: 0 }
const seeded = (seed: number): SamplingParams => ({ temperature: 0.8, topP: 0.9, seed })

async function jobOf(golden: GoldenCase, sampling = greedy): Promise<GenerateJob> {
  return createJob({
    promptIds: Int32Array.from(golden.prompt_ids),
    images: await readGoldenImages(golden),
    maxTokens: golden.greedy_ids.length,
    stopIds,
    controlIdsFrom: 1024,
    sampling,
  })
}

let asked = 0

function ask(engine: Engine, job: GenerateJob) {
  return readAnswer(engine.generate({ ...job, id: `cached-${asked++}` }, never))
}

describe.each(['f32', 'q8'] as const)('%s model', (weights) => {
  let model: Model
  let modelsDir: string
  beforeAll(async () => {
    modelsDir = await mkdtemp(path.join(tmpdir(), 'caches-'))
    model = await loadModel({ checkpointDir: nano, modelsDir, weights, slots: 4, threads: 2 })
  })
  afterAll(async () => {
    await model.close()
    await rm(modelsDir, { recursive: true })
  })

  /** One engine per test, whose memory is given back for the next. */
  async function withEngine(
    caches: CacheLimits,
    use: (engine: Engine) => Promise<void>,
    options: { prefillChunkTokens?: number } = {},
  ): Promise<void> {
    const engine = createEngine({ model, queueLimit: 500, caches, ...options })
    await use(engine)
    await engine.close()
    expect(engine.snapshot().memory.slotTokens).toBe(0)
  }

  /** Answers without any cache, one after the other. */
  async function plainAnswers(jobs: readonly GenerateJob[]): Promise<readonly number[][]> {
    const answers: number[][] = []
    await withEngine({}, async (engine) => {
      for (const job of jobs) answers.push((await ask(engine, job)).ids)
    })
    return answers
  }

  it('gives every golden answer, first and again from the cache', async () => {
    await withEngine(everything, async (engine) => {
      for (const golden of cases) {
        const job = await jobOf(golden)
        for (const turn of ['first', 'again']) {
          const { ids, end } = await ask(engine, job)
          expect(ids, `${golden.id}, ${turn}`).toEqual(golden.greedy_ids)
          const known = turn === 'again' && golden.prompt_ids.length > 32
          expect(end.cachedTokens > 0 || !known, golden.id).toBe(true)
        }
      }
    })
  })

  it('draws the same with a seed, first, again and among other traffic', async () => {
    const seededJobs = await Promise.all(cases.map((golden, seed) => jobOf(golden, seeded(seed))))
    const expected = await plainAnswers(seededJobs)
    await withEngine(everything, async (engine) => {
      const first = await Promise.all(seededJobs.map((job) => ask(engine, job)))
      const again = await Promise.all(seededJobs.toReversed().map((job) => ask(engine, job)))
      expect(first.map(({ ids }) => ids)).toEqual(expected)
      expect(again.toReversed().map(({ ids }) => ids)).toEqual(expected)
      expect(again.filter(({ end }) => end.cachedTokens > 0).length).toBeGreaterThan(20)
    })
  })

  it.each([
    ['two images', 'two-images', 32],
    ['a prefix that ends inside an image', 'describe-g06', 64],
    ['several turns', 'multi-turn', 64],
  ])('gives the same answer with %s, and vision only where it is needed', async (_, id, cached) => {
    const job = await jobOf(find(id))
    await withEngine({ ...everything, imageBytes: 0 }, async (engine) => {
      await ask(engine, job)
      const runs = engine.snapshot().visionRuns
      const { ids, end } = await ask(engine, job)
      expect([ids, end.cachedTokens]).toEqual([find(id).greedy_ids, cached])
      expect(engine.snapshot().visionRuns - runs).toBe(
        id === 'describe-g06' ? 1 : id === 'two-images' ? 1 : 0,
      )
    })
  })

  it('goes on from an answer as it would from reading it', async () => {
    const question = await jobOf(find('text-story'))
    const next = (answer: readonly number[]): GenerateJob => ({
      ...question,
      promptIds: Int32Array.from([
        ...question.promptIds,
        ...answer,
        1026,
        ...find('text-count').prompt_ids,
      ]),
      maxTokens: 40,
    })
    const [story] = await plainAnswers([question])
    const [expected] = await plainAnswers([next(story!)])
    await withEngine(everything, async (engine) => {
      const { ids } = await ask(engine, question)
      const second = await ask(engine, next(ids))
      expect(second.ids).toEqual(expected)
      expect(second.end.cachedTokens).toBe(
        Math.floor((question.promptIds.length + ids.length - 1) / 32) * 32,
      )
    })
  })

  it.each([7, 32, 48, 512])(
    'gives the same whatever the chunks of a long prompt: %i',
    async (chunk) => {
      const parts = ['text-story', 'text-count', 'text-who', 'text-pirate', 'text-hello']
      const all = parts.flatMap((id) => [...find(id).prompt_ids, ...find(id).greedy_ids, 1026])
      const base = await jobOf(find('text-hello'))
      const jobs = [160, 161, 191, 192, 193, all.length].map((tokens) => ({
        ...base,
        promptIds: Int32Array.from([...all.slice(0, tokens), ...find('text-color').prompt_ids]),
        maxTokens: 20,
      }))
      const expected = await plainAnswers(jobs)
      await withEngine(
        everything,
        async (engine) => {
          for (const turn of ['first', 'again']) {
            for (const [index, job] of jobs.entries()) {
              expect((await ask(engine, job)).ids, `${turn} ${index}`).toEqual(expected[index])
            }
          }
        },
        { prefillChunkTokens: chunk },
      )
    },
  )

  it('gives the same when rows and features are evicted all the time', async () => {
    const jobs = await Promise.all(cases.map((golden) => jobOf(golden)))
    const tight = { kvTokens: 448, prefixTokens: 128, imageBytes: 64 * 128 * 4 }
    await withEngine(tight, async (engine) => {
      for (let round = 0; round < 2; round++) {
        const answers = await Promise.all(jobs.map((job) => ask(engine, job)))
        expect(answers.map(({ ids }) => ids)).toEqual(cases.map((golden) => golden.greedy_ids))
        expect(engine.snapshot().memory.prefixTokens).toBeLessThanOrEqual(128)
      }
    })
  })
})
