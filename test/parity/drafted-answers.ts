/** Answers of an engine that drafts tokens, against those of one that does not. */
import { setImmediate as nextImmediate } from 'node:timers/promises'
import { createEngine } from '../../backend/engine/engine.ts'
import type {
  Engine,
  EngineSnapshot,
  GenerateJob,
  SampledLogprobs,
} from '../../backend/engine/job.ts'
import { compileGrammar } from '../../backend/grammar/compile/compile-grammar.ts'
import { Vocabulary } from '../../backend/grammar/masks/vocabulary.ts'
import { readTokenizerFile } from '../../backend/model/config/tokenizer-file.ts'
import type { Model } from '../../backend/model/model.ts'
import { objectOf } from '../support/grammar/grammar-schemas.ts'
import { createJob } from '../support/inference/jobs.ts'
import { nano, readGoldenCases, readGoldenImages, stopIds } from './golden-cases.ts'

/** Jobs that are answered at the same time. */
const atOnce = 3

/** Long arrays, a third of each kind. */
const arrays = 36

/** Jobs of nano's own golden cases, by turns greedy, seeded, and held by a schema. */
export async function draftedJobs(): Promise<GenerateJob[]> {
  const items = objectOf({
    name: { type: 'string', maxLength: 8 },
    colour: { enum: ['red', 'blue'] },
  })
  const format = formatOf({ type: 'array', minItems: 3, maxItems: 4, items })
  const kinds: readonly Partial<GenerateJob>[] = [
    {},
    { sampling: { temperature: 0.7, topP: 0.9, seed: 11 }, topLogprobs: 2 },
    { format, maxTokens: 70 },
    { sampling: { temperature: 1, topK: 20, seed: 12 } },
    { sampling: { temperature: 0, repetitionPenalty: 1.1, seed: 0 }, topLogprobs: 1 },
    { format, maxTokens: 30, sampling: { temperature: 0.9, seed: 13 } },
  ]
  return jobsOf((index) => ({ maxTokens: 40, ...kinds[index % kinds.length] }))
}

/** Arrays that schemas make nano go on with, far from everything that it was trained on: many of its tokens are near ties. */
export async function longArrays(): Promise<GenerateJob[]> {
  const name = { type: 'string', maxLength: 10 }
  const formats = [
    { type: 'array', minItems: 80, items: name },
    { type: 'array', minItems: 90, items: { type: 'integer' } },
    { type: 'array', minItems: 40, items: objectOf({ name, count: { type: 'integer' } }) },
  ].map(formatOf)
  const all = await jobsOf((index) => {
    return { format: formats[index % formats.length], maxTokens: 200, topLogprobs: 20 }
  })
  return all.slice(0, arrays)
}

function formatOf(schema: object) {
  return compileGrammar({ type: 'json_schema', schema: JSON.stringify(schema) })
}

async function jobsOf(rules: (index: number) => Partial<GenerateJob>): Promise<GenerateJob[]> {
  const cases = await readGoldenCases()
  return Promise.all(
    cases.map(async (golden, index) =>
      createJob({
        promptIds: Int32Array.from(golden.prompt_ids),
        images: await readGoldenImages(golden),
        stopIds,
        controlIdsFrom: 1024,
        ...rules(index),
      }),
    ),
  )
}

/** What a reader gets: tokens, their log probabilities, and the end. */
export interface ReadAnswer {
  readonly ids: readonly number[]
  readonly logprobs: readonly SampledLogprobs[]
  readonly end: readonly [completionTokens: number, reasons: string] | undefined
}

interface Answered {
  readonly answers: readonly ReadAnswer[]
  readonly snapshot: EngineSnapshot
}

/** Answers jobs, a few at a time. Drafts are as long as can be: no step is timed. */
export async function answerAll(
  model: Model,
  jobs: readonly GenerateJob[],
  speculates: boolean,
): Promise<Answered> {
  const { tokenBytes, vocabSize } = await readTokenizerFile(nano)
  const vocabulary = new Vocabulary(tokenBytes, vocabSize)
  const engine = createEngine({ model, vocabulary, queueLimit: 64, speculates, now: () => 0 })
  let ended = 0
  const answers = await Promise.all(
    jobs.map(async (job, index) => {
      const mayStart = () => index < ended + atOnce
      while (!mayStart()) await nextImmediate()
      return read(engine, job).finally(() => (ended += 1))
    }),
  )
  const snapshot = engine.snapshot()
  await engine.close()
  return { answers, snapshot }
}

const never = new AbortController().signal

async function read(engine: Engine, job: GenerateJob): Promise<ReadAnswer> {
  const ids: number[] = []
  const logprobs: SampledLogprobs[] = []
  let end: ReadAnswer['end']
  for await (const event of engine.generate({ ...job, id: createJob().id }, never)) {
    if (event.type === 'end') end = [event.completionTokens, event.finishReasons.join()]
    if (event.type !== 'tokens') continue
    ids.push(...event.ids)
    logprobs.push(...(event.logprobs ?? []))
  }
  return { ids, end, logprobs }
}
