import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createEngine } from '../../backend/engine/engine.ts'
import type { Engine, GenerateJob } from '../../backend/engine/job.ts'
import { createRandom, type Random } from '../../backend/engine/sampling/random.ts'
import { loadModel } from '../../backend/model/load-model.ts'
import type { Model } from '../../backend/model/model.ts'
import { createJob, readAnswer } from '../support/inference/jobs.ts'
import { nano, readGoldenCases, readGoldenImages, stopIds } from './golden-cases.ts'

const repeats = 100
const cases = await readGoldenCases()

let model: Model
let modelsDir: string
beforeAll(async () => {
  modelsDir = await mkdtemp(join(tmpdir(), 'determinism-'))
  const options = { weights: 'q8', slots: 4, threads: 2 } as const
  model = await loadModel({ checkpointDir: nano, modelsDir, ...options })
})
afterAll(async () => {
  await model.close()
  await rm(modelsDir, { recursive: true })
})

async function goldenJob(id: string, changes: Partial<GenerateJob>): Promise<GenerateJob> {
  const golden = cases.find((each) => each.id === id)!
  return createJob({
    promptIds: Int32Array.from(golden.prompt_ids),
    images: await readGoldenImages(golden),
    maxTokens: 16,
    stopIds,
    controlIdsFrom: 1024,
    ...changes,
  })
}

/** A job of any kind: short and long prompts and answers, one, two or three choices, several tenants. */
function randomJob(random: Random): GenerateJob {
  const below = (limit: number) => Math.floor(random() * limit)
  return createJob({
    tenant: `tenant-${below(3)}`,
    priority: below(4) === 0 ? 'batch' : 'interactive',
    promptIds: Int32Array.from({ length: 1 + below(below(8) === 0 ? 400 : 40) }, () => below(1024)),
    maxTokens: 1 + below(20),
    stopIds,
    controlIdsFrom: 1024,
    choices: 1 + below(3),
    sampling: { temperature: random(), topP: 0.95, seed: below(1000) },
  })
}

async function textOf(engine: Engine, job: GenerateJob): Promise<string> {
  const { signal } = new AbortController()
  return (await readAnswer(engine.generate({ ...job, id: createJob().id }, signal))).ids.join(' ')
}

const sampling = { temperature: 0.9, topP: 0.95, seed: 7 }

describe('the deterministic mode', () => {
  it.each([
    ['greedy text', 'text-story', {}],
    ['sampled text', 'text-story', { sampling }],
    ['a sampled description', 'describe-g03', { sampling }],
  ])('gives one answer, alone and among other traffic: %s', async (_, id, changes) => {
    const job = await goldenJob(id, changes)
    const engine = createEngine({ model, queueLimit: 1_000, deterministic: true })
    const answers = new Set<string>()
    for (let i = 0; i < repeats; i++) answers.add(await textOf(engine, job))

    const random = createRandom(11)
    const jobs = Array.from({ length: repeats }, () => [job, randomJob(random)]).flat()
    await Promise.all(
      jobs.map(async (each) => {
        const text = await textOf(engine, each)
        if (each === job) answers.add(text)
      }),
    )
    expect(answers.size).toBe(1)
    expect(engine.snapshot()).toMatchObject({ slotsInUse: 0, cachedTokens: 0, queued: 0 })
  })
})
