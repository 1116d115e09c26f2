/** Answers that have to be JSON, beside what the engine does with its memory: giving way, and caching prefixes. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as nextImmediate } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createEngine } from '../../backend/engine/engine.ts'
import type { Engine, GenerateJob } from '../../backend/engine/job.ts'
import type { CacheLimits } from '../../backend/engine/memory/cache-limits.ts'
import { compileGrammar } from '../../backend/grammar/compile/compile-grammar.ts'
import { Vocabulary } from '../../backend/grammar/masks/vocabulary.ts'
import { readTokenizerFile } from '../../backend/model/config/tokenizer-file.ts'
import { loadModel } from '../../backend/model/load-model.ts'
import type { Model } from '../../backend/model/model.ts'
import { objectOf } from '../support/grammar/grammar-schemas.ts'
import { createJob, readAnswer } from '../support/inference/jobs.ts'
import { validatorOf } from '../support/test-ajv.ts'
import { nano, readGoldenCases, readGoldenImages, stopIds } from './golden-cases.ts'

const cases = await readGoldenCases()
const { tokenBytes, vocabSize } = await readTokenizerFile(nano)
const vocabulary = new Vocabulary(tokenBytes, vocabSize)
const never = new AbortController().signal

/** Long enough for an answer to be in the middle of it when it gives way. */
const schema = objectOf({
  shapes: {
    type: 'array',
    minItems: 3,
    maxItems: 4,
    items: objectOf({
      name: { type: 'string', minLength: 3, maxLength: 8 },
      colour: { enum: ['red', 'green', 'blue'] },
      sides: { type: 'integer', minimum: 0, maximum: 12 },
    }),
  },
})
const format = compileGrammar({ type: 'json_schema', schema: JSON.stringify(schema) })
const isValid = validatorOf(schema)

async function structuredJob(id: string, seed: number): Promise<GenerateJob> {
  const golden = cases.find((each) => each.id === id)!
  return createJob({
    tenant: 'many',
    promptIds: Int32Array.from(golden.prompt_ids),
    images: await readGoldenImages(golden),
    maxTokens: 200,
    stopIds,
    controlIdsFrom: 1024,
    sampling: { temperature: 0.9, topP: 0.95, seed },
    format,
  })
}

function textOf(ids: readonly number[]): string {
  const texts = ids.filter((id) => id < 1024).map((id) => vocabulary.bytesOf(id))
  return Buffer.concat(texts).toString('utf8')
}

const ask = (engine: Engine, job: GenerateJob) =>
  readAnswer(engine.generate({ ...job, id: createJob().id }, never))

/** As in the tests of each: where rows are read again, only float32 promises the same tokens. */
const modes = [
  { weights: 'q8', deterministic: true, slots: 2, caches: {}, promptTokens: 40 },
  { weights: 'f32', deterministic: false, slots: 1, caches: { kvTokens: 384 }, promptTokens: 360 },
] as const

describe.each(modes)('a structured answer: $weights, deterministic: $deterministic', (mode) => {
  const { weights, deterministic, slots, caches, promptTokens } = mode
  let model: Model
  let modelsDir: string
  let jobs: readonly GenerateJob[]
  let alone: readonly (readonly number[])[]
  beforeAll(async () => {
    modelsDir = await mkdtemp(join(tmpdir(), 'formats-in-memory-'))
    model = await loadModel({ checkpointDir: nano, modelsDir, weights, slots, threads: 2 })
    jobs = await Promise.all([structuredJob('describe-g06', 3), structuredJob('describe-g07', 4)])
    const answers: number[][] = []
    for (const job of jobs) {
      const engine = engineWith({})
      answers.push((await ask(engine, job)).ids)
      await engine.close()
    }
    alone = answers
  }, 300_000)
  afterAll(async () => {
    await model.close()
    await rm(modelsDir, { recursive: true })
  })

  const engineWith = (limits: CacheLimits) =>
    createEngine({ model, vocabulary, queueLimit: 8, deterministic, caches: limits })

  it('is valid, and the same after it gave way', { timeout: 300_000 }, async () => {
    for (const ids of alone) expect(isValid(JSON.parse(textOf(ids)))).toBe(true)
    const engine = engineWith(caches)
    let running = jobs.length
    const answers = jobs.map((job) => ask(engine, job).finally(() => (running -= 1)))
    const question = createJob({
      tenant: 'one',
      promptIds: Int32Array.from({ length: promptTokens }, (_, at) => 100 + at),
      maxTokens: 5,
      stopIds: [],
      controlIdsFrom: 1024,
    })
    let pauses = 0
    while (running === jobs.length) {
      const asked = { running: true }
      const answer = ask(engine, question).finally(() => (asked.running = false))
      for (; asked.running; await nextImmediate()) pauses += engine.snapshot().paused
      await answer
      const until = engine.snapshot().steps + 40
      while (running === jobs.length && engine.snapshot().steps < until) await nextImmediate()
    }
    const got = await Promise.all(answers)
    expect(pauses).toBeGreaterThan(0)
    expect(got.map(({ ids }) => ids)).toEqual(alone)
    await engine.close()
  })

  it(
    'is valid, and the same when its prompt comes from the cache',
    { timeout: 300_000 },
    async () => {
      const engine = engineWith({ kvTokens: 8192, prefixTokens: Infinity, imageBytes: 1e7 })
      for (const [index, job] of jobs.entries()) {
        const first = await ask(engine, job)
        const again = await ask(engine, job)
        expect(again.end.cachedTokens).toBeGreaterThan(0)
        expect([first.ids, again.ids]).toEqual([alone[index], alone[index]])
        expect(isValid(JSON.parse(textOf(again.ids)))).toBe(true)
      }
      await engine.close()
    },
  )
})
