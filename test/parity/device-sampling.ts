import assert from 'node:assert/strict'
import { createEngine } from '../../backend/engine/engine.ts'
import type { GenerateJob } from '../../backend/engine/job.ts'
import {
  candidateCount,
  logSumError,
  type Candidates,
  type Model,
  type NextLogits,
} from '../../backend/model/model.ts'
import { candidatesOf } from '../support/inference/candidates-of.ts'
import { createJob } from '../support/inference/jobs.ts'
import { stopIds, type GoldenCase } from './golden-cases.ts'

/** In one step as many rows as take part, which are read one by one afterwards. */
export async function candidates(model: Model, cases: readonly GoldenCase[]): Promise<void> {
  const slots = cases.slice(0, model.info.slots).map(() => model.openSlot())
  const step = await model.step(
    slots.map((slot, i) => {
      const tokenIds = Int32Array.from(cases[i]!.prompt_ids.slice(0, 9 + i))
      return { slot, tokenIds, features: [], sample: true }
    }),
  )
  for (const next of step.toReversed()) {
    const found = next.candidates!
    const expected = candidatesOf(await next.row(), candidateCount)
    assert.deepEqual(found.logits, expected.logits)
    assert.ok(Math.abs(found.logSum - expected.logSum) < logSumError, `${found.logSum}`)
    const floor = expected.logits.at(-1)!
    const above = (of: Candidates) => new Set(of.ids.filter((_, i) => of.logits[i]! > floor))
    assert.deepEqual(above(found), above(expected))
  }
  for (const slot of slots) model.closeSlot(slot)
}

/** Seeded answers of two choices each, by different rules, from candidates and from whole rows. */
export async function drawsAlike(model: Model, cases: readonly GoldenCase[]): Promise<void> {
  const jobs = cases
    .filter(({ images }) => images.length === 0)
    .slice(0, rules.length)
    .map((golden, seed) =>
      createJob({
        promptIds: Int32Array.from(golden.prompt_ids),
        maxTokens: 16,
        stopIds,
        controlIdsFrom: 1024,
        choices: 2,
        sampling: { temperature: 1, seed, ...rules[seed] },
      }),
    )
  let rows = 0
  const counted = withLogits(model, (next) => ({
    ...next,
    row: () => {
      rows += 1
      return next.row()
    },
  }))
  const expected = await answers(withLogits(model, wholeRow), jobs)
  assert.deepEqual(await answers(counted, jobs), expected)
  const tokens = expected.flat(2).length
  assert.ok(rows < tokens / 2, `${rows} rows for ${tokens} tokens`)
}

const rules = [
  { temperature: 0.7, topP: 0.9 },
  { temperature: 1.5 },
  { topK: 20, presencePenalty: 1 },
  { topP: 0.95, repetitionPenalty: 1.2, minP: 0.01 },
]

function withLogits(model: Model, change: (next: NextLogits) => NextLogits): Model {
  return { ...model, step: async (rows) => (await model.step(rows)).map(change) }
}

function wholeRow({ row }: NextLogits): NextLogits {
  return { candidates: undefined, row }
}

/** By job and choice. */
async function answers(model: Model, jobs: readonly GenerateJob[]): Promise<number[][][]> {
  const engine = createEngine({ model, queueLimit: 9 })
  const read = async (job: GenerateJob) => {
    const ids = Array.from({ length: job.choices ?? 1 }, (): number[] => [])
    for await (const event of engine.generate(job, new AbortController().signal)) {
      if (event.type === 'tokens') ids[event.choice]!.push(...event.ids)
    }
    return ids
  }
  const all = await Promise.all(jobs.map(read))
  await engine.close()
  return all
}
