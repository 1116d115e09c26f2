/**
 * `node scripts/gpu/draws.ts [answers]`: lets nano answer with a seed, held by a schema, in 8 bits on the CPU and on the
 * graphics card, and shows why answers diverge. Exits with 1 if the card draws other tokens from candidates than from
 * whole rows.
 */
import { isDeepStrictEqual } from 'node:util'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { GenerateJob } from '../../backend/engine/job.ts'
import { choiceSeed, createRandom } from '../../backend/engine/sampling/random.ts'
import { Constraints } from '../../backend/grammar/constraints.ts'
import { Vocabulary } from '../../backend/grammar/masks/vocabulary.ts'
import { openWebGpuAccelerator } from '../../backend/model/accelerator/webgpu-accelerator.ts'
import { readTokenizerFile } from '../../backend/model/config/tokenizer-file.ts'
import { loadModel } from '../../backend/model/load-model.ts'
import type { Model } from '../../backend/model/model.ts'
import { answerAll, draftedJobs } from '../../test/parity/drafted-answers.ts'
import { nano } from '../../test/parity/golden-cases.ts'
import { follow } from '../../test/support/model/follow-answer.ts'

const [most = 10] = process.argv.slice(2).map(Number)
const { tokenBytes, vocabSize } = await readTokenizerFile(nano)
const constraints = new Constraints(new Vocabulary(tokenBytes, vocabSize))
const modelsDir = await mkdtemp(join(tmpdir(), 'card-draws-'))
const options = { checkpointDir: nano, modelsDir, slots: 4, threads: 1 } as const
const device = { accelerator: openWebGpuAccelerator(), cacheTokens: 4096 }
const models = {
  cpu: await loadModel({ ...options, weights: 'q8' }),
  card: await loadModel({ ...options, weights: 'q8', device }),
  exact: await loadModel({ ...options, weights: 'f32' }),
}
const jobs = await jobsOf()
const cpu = await answersOf(models.cpu)
const card = await answersOf(models.card)
const fromRows = await answersOf(withWholeRows(models.card))
const equal = (a: number[][], b: number[][]) => a.filter((ids, i) => isDeepStrictEqual(ids, b[i]))
console.log(`${equal(card, fromRows).length} of ${jobs.length} equal from candidates and from rows`)
console.log(`${equal(card, cpu).length} of ${jobs.length} equal on the card and on the CPU`)
for (const [i, job] of jobs.entries()) await explain(i, job, cpu[i]!, card[i]!)
for (const model of Object.values(models)) await model.close()
await rm(modelsDir, { recursive: true })
process.exitCode = isDeepStrictEqual(card, fromRows) ? 0 : 1

/** Everything that is drawn and held by a schema, with other seeds once all were taken. */
async function jobsOf(): Promise<GenerateJob[]> {
  const all = await draftedJobs()
  const held = all.filter(({ format, images }) => format !== undefined && images.length === 0)
  return Array.from({ length: most }, (_, i) => ({
    ...held[i % held.length]!,
    maxTokens: 40,
    sampling: { temperature: 0.9, seed: 100 + i },
  }))
}

async function answersOf(model: Model): Promise<number[][]> {
  const { answers } = await answerAll(model, jobs, false)
  return answers.map(({ ids }) => [...ids])
}

function withWholeRows(model: Model): Model {
  return {
    ...model,
    step: async (rows) =>
      (await model.step(rows)).map(({ row }) => ({ candidates: undefined, row })),
  }
}

/** The distributions of the first token that differs, and where the draw was. */
async function explain(index: number, job: GenerateJob, a: number[], b: number[]): Promise<void> {
  const token = a.findIndex((id, i) => id !== b[i])
  if (token < 0) return
  const prefix = a.slice(0, token)
  const [p, q, exact] = [
    await distribution(models.cpu, job, prefix),
    await distribution(models.card, job, prefix),
    await distribution(models.exact, job, prefix),
  ]
  const random = createRandom(choiceSeed(job.sampling.seed, 0))
  const uniforms = Array.from({ length: token + 1 }, random)
  const text = [
    `${index}, token ${token}: draw ${uniforms[token]!.toFixed(3)}`,
    `CPU's token ${interval(p, a[token]!)} there and ${interval(q, a[token]!)} on the card`,
    `card's ${interval(p, b[token]!)} and ${interval(q, b[token]!)}`,
    `of ${p.size} tokens; off from float32: CPU ${apart(p, exact)}, card ${apart(q, exact)}`,
  ]
  console.log(text.join(', '))
}

/** Probabilities by id, the largest first, of the tokens that may come next. */
async function distribution(
  model: Model,
  job: GenerateJob,
  prefix: number[],
): Promise<Map<number, number>> {
  const { promptIds, images, format, stopIds, sampling, maxTokens } = job
  const rule = constraints.open(format!, stopIds)
  prefix.forEach((id, i) => rule.settle(id, maxTokens - i))
  let row = new Float32Array()
  const prompt = { promptIds: [...promptIds], images }
  for await (const one of follow(model, prompt, prefix)) row = one.slice()
  const weights = [...rule.pack(row)].map(
    (logit, place) => [rule.idAt(place), Math.exp(logit / sampling.temperature)] as const,
  )
  const sum = weights.reduce((total, [, weight]) => total + weight, 0)
  const sorted = weights.toSorted((x, y) => y[1] - x[1] || x[0] - y[0])
  return new Map(sorted.map(([id, weight]) => [id, weight / sum]))
}

/** The numbers for which a token is drawn. */
function interval(of: ReadonlyMap<number, number>, id: number): string {
  let from = 0
  for (const [one, share] of of) {
    if (one === id) return `${from.toFixed(3)} to ${(from + share).toFixed(3)}`
    from += share
  }
  return 'never'
}

/** Half the sum of differences: the share of draws that must come out differently. */
function apart(a: ReadonlyMap<number, number>, b: ReadonlyMap<number, number>): string {
  const ids = new Set([...a.keys(), ...b.keys()])
  const sum = [...ids].reduce(
    (total, id) => total + Math.abs((a.get(id) ?? 0) - (b.get(id) ?? 0)),
    0,
  )
  return (sum / 2).toFixed(3)
}
