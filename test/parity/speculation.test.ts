/**
 * Answers with drafts, from the model itself. In float32, since rows that run together differ in their last bits from those that
 * run alone, as rows of different requests do: in 8 bits a near tie may then end differently.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as nextImmediate } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createEngine } from '../../backend/engine/engine.ts'
import type { Engine, GenerateJob, SampledLogprobs } from '../../backend/engine/job.ts'
import { compileGrammar } from '../../backend/grammar/compile/compile-grammar.ts'
import { Vocabulary } from '../../backend/grammar/masks/vocabulary.ts'
import { openHostAccelerator } from '../../backend/model/accelerator/host-accelerator.ts'
import { readTokenizerFile } from '../../backend/model/config/tokenizer-file.ts'
import { loadModel } from '../../backend/model/load-model.ts'
import type { Model } from '../../backend/model/model.ts'
import { objectOf } from '../support/grammar/grammar-schemas.ts'
import { createJob } from '../support/inference/jobs.ts'
import { openDeviceModel } from './device-models.ts'
import { nano, readGoldenCases, readGoldenImages, stopIds } from './golden-cases.ts'

const cases = await readGoldenCases()
const { tokenBytes, vocabSize } = await readTokenizerFile(nano)
const vocabulary = new Vocabulary(tokenBytes, vocabSize)
const never = new AbortController().signal

const shape = objectOf({
  name: { type: 'string', maxLength: 8 },
  colour: { enum: ['red', 'blue'] },
})
const schema = { type: 'array', minItems: 3, maxItems: 4, items: shape }
const format = compileGrammar({ type: 'json_schema', schema: JSON.stringify(schema) })

/** By turns what each of them is asked for; the rest is the golden case's. */
const kinds: readonly Partial<GenerateJob>[] = [
  {},
  { sampling: { temperature: 0.7, topP: 0.9, seed: 11 }, topLogprobs: 2 },
  { format, maxTokens: 70 },
  { sampling: { temperature: 1, topK: 20, seed: 12 } },
  { sampling: { temperature: 0, repetitionPenalty: 1.1, seed: 0 }, topLogprobs: 1 },
  { format, maxTokens: 30, sampling: { temperature: 0.9, seed: 13 } },
]

async function jobs(): Promise<GenerateJob[]> {
  return Promise.all(
    cases.map(async (golden, index) =>
      createJob({
        promptIds: Int32Array.from(golden.prompt_ids),
        images: await readGoldenImages(golden),
        maxTokens: 40,
        stopIds,
        controlIdsFrom: 1024,
        ...kinds[index % kinds.length],
      }),
    ),
  )
}

/** What a reader gets: tokens, their log probabilities, and the end. */
async function read(engine: Engine, job: GenerateJob) {
  const ids: number[] = []
  const logprobs: SampledLogprobs[] = []
  let end: readonly [number, string] | undefined
  for await (const event of engine.generate({ ...job, id: createJob().id }, never)) {
    if (event.type === 'end') end = [event.completionTokens, event.finishReasons.join()]
    if (event.type !== 'tokens') continue
    ids.push(...event.ids)
    logprobs.push(...(event.logprobs ?? []))
  }
  return { ids, end, logprobs: logprobs.map(({ logprob }) => logprob) }
}

/** Three at a time. */
async function readAll(engine: Engine, asked: readonly GenerateJob[]) {
  let ended = 0
  const answers = asked.map(async (job, index) => {
    const mayStart = () => index < ended + 3
    while (!mayStart()) await nextImmediate()
    return read(engine, job).finally(() => (ended += 1))
  })
  return Promise.all(answers)
}

const models = {
  'the form for the CPU': (modelsDir: string) =>
    loadModel({ checkpointDir: nano, modelsDir, weights: 'f32', slots: 4, threads: 2 }),
  'the device form, run by the CPU': (modelsDir: string) =>
    openDeviceModel('f32', openHostAccelerator(1), modelsDir),
} as const

describe.each(Object.entries(models))('%s', (_, open) => {
  let modelsDir: string
  let model: Model
  beforeAll(async () => {
    modelsDir = await mkdtemp(join(tmpdir(), 'speculation-'))
    model = await open(modelsDir)
  }, 300_000)
  afterAll(async () => {
    await model.close()
    await rm(modelsDir, { recursive: true })
  })

  const start = (speculates: boolean) =>
    createEngine({ model, vocabulary, queueLimit: 64, speculates, now: () => 0 })

  it('answers with drafts as without, prompts joining', { timeout: 300_000 }, async () => {
    const asked = await jobs()
    const plain = start(false)
    const expected = await readAll(plain, asked)
    await plain.close()
    const engine = start(true)
    const answers = await readAll(engine, asked)
    expect(answers.map(({ ids, end }) => ({ ids, end }))).toEqual(
      expected.map(({ ids, end }) => ({ ids, end })),
    )
    answers.forEach(({ logprobs }, index) => {
      const told = expected[index]!.logprobs
      expect(logprobs).toHaveLength(told.length)
      logprobs.forEach((logprob, i) => expect(Math.abs(logprob - told[i]!)).toBeLessThan(1e-3))
    })
    const { acceptedTokens } = engine.snapshot().speculation
    expect(acceptedTokens).toBeGreaterThan(20)
    expect(engine.snapshot().steps).toBeLessThan(plain.snapshot().steps)
    await engine.close()
  })
})
