/**
 * `node scripts/gpu/speculation.ts [map] [weights] [answers]`: lets nano answer with and without drafted tokens, its
 * layers placed as by DEVICE_MAP, in `f32` or `q8`, and shows where and how narrowly answers diverge; `answers` limits
 * their number of each kind.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseDeviceMap, planLayers } from '../../backend/device/device-map.ts'
import { openWebGpuAccelerator } from '../../backend/model/accelerator/webgpu-accelerator.ts'
import { loadModel } from '../../backend/model/load-model.ts'
import type { Model } from '../../backend/model/model.ts'
import {
  answerAll,
  draftedJobs,
  longArrays,
  type ReadAnswer,
} from '../../test/parity/drafted-answers.ts'
import { quantile } from '../../test/parity/near-ties.ts'
import { nano } from '../../test/parity/golden-cases.ts'
import type { GenerateJob } from '../../backend/engine/job.ts'
import { follow } from '../../test/support/model/follow-answer.ts'

const layers = 4
const cacheTokens = 4096

const [text = 'gpu', weights = 'q8', most = '100'] = process.argv.slice(2)
if (weights !== 'q8' && weights !== 'f32') throw new Error('weights are q8 or f32')
const map = parseDeviceMap(text)
if (map === 'auto' || 'problem' in map) throw new Error('a map is one such as cpu:2,gpu:2')
const { cardLayers = 0, stageLayers } = planLayers(map, layers)
const modelsDir = await mkdtemp(join(tmpdir(), 'speculation-'))
const options = { checkpointDir: nano, modelsDir, slots: 4, threads: 1 } as const
const device = {
  accelerator: openWebGpuAccelerator(),
  cacheTokens,
  cpuLayers: layers - cardLayers,
}
const model = await loadModel({
  ...options,
  weights,
  ...(cardLayers > 0 && { device }),
  ...(layers > cardLayers && { stageLayers }),
})
const exact = await loadModel({ ...options, weights: 'f32' })
const some = (jobs: readonly GenerateJob[]) => jobs.slice(0, Number(most))
await compare('answers of all kinds', model, some(await draftedJobs()))
await compare('arrays of 200 tokens', model, some(await longArrays()))
await exact.close()
await model.close()
await rm(modelsDir, { recursive: true })

async function compare(name: string, of: Model, jobs: readonly GenerateJob[]): Promise<void> {
  const plain = await answerAll(of, jobs, false)
  const drafting = await answerAll(of, jobs, true)
  const places = jobs.map((_, i) => partingOf(plain.answers[i]!, drafting.answers[i]!))
  const equal = places.filter((place) => place === undefined).length
  const { draftedTokens, acceptedTokens } = drafting.snapshot.speculation
  const steps = `${plain.snapshot.steps} steps without drafts, ${drafting.snapshot.steps} with`
  console.log(`${name}: ${equal} of ${jobs.length} equal, ${steps},`)
  console.log(`  ${acceptedTokens} of ${draftedTokens} drafted tokens accepted`)
  const off = jobs.flatMap((_, i) =>
    differences(plain.answers[i]!, drafting.answers[i]!, places[i]),
  )
  if (off.length > 0) {
    const shares = [0.5, 0.99, 1].map((share) => quantile(off, share).toFixed(4))
    console.log(
      `  leads of the likeliest token differ by ${shares.join(', ')} (median, 99 %, most)`,
    )
  }
  for (const [i, place] of places.entries()) {
    if (place === undefined) continue
    const [a, b] = [plain.answers[i]!, drafting.answers[i]!]
    const leads = [
      lead(a, b, place, a),
      lead(a, b, place, b),
      await exactLead(jobs[i]!, a, b, place),
    ]
    console.log(
      `  ${i}, token ${place}: lead without drafts ${leads[0]}, with ${leads[1]}, in float32 ${leads[2]}`,
    )
  }
}

/** The first token that differs. */
function partingOf(a: ReadAnswer, b: ReadAnswer): number | undefined {
  const place = a.ids.findIndex((id, i) => id !== b.ids[i])
  return place < 0 ? undefined : place
}

/** By how much the lead of the likeliest token over the next differs before answers diverge. */
function differences(a: ReadAnswer, b: ReadAnswer, place = a.ids.length): number[] {
  return a.logprobs.slice(0, place).flatMap(({ top }, i) => {
    const [first, second] = top
    const other = (id: number) => b.logprobs[i]?.top.find((one) => one.id === id)?.logprob
    if (first === undefined || second === undefined) return []
    const [x, y] = [other(first.id), other(second.id)]
    if (x === undefined || y === undefined) return []
    return [Math.abs(first.logprob - second.logprob - (x - y))]
  })
}

/** How much likelier, as a natural logarithm, a's token is than b's, according to one of them. */
function lead(a: ReadAnswer, b: ReadAnswer, place: number, of: ReadAnswer): string {
  const told = of.logprobs[place]
  const logprob = (id: number | undefined) =>
    told?.id === id ? told?.logprob : told?.top.find((one) => one.id === id)?.logprob
  const [x, y] = [logprob(a.ids[place]), logprob(b.ids[place])]
  return x === undefined || y === undefined ? 'unknown' : (x - y).toFixed(4)
}

async function exactLead(
  { promptIds, images }: GenerateJob,
  a: ReadAnswer,
  b: ReadAnswer,
  place: number,
): Promise<string> {
  const ids = a.ids.slice(0, place)
  let row: Float32Array | undefined
  for await (const one of follow(exact, { promptIds: [...promptIds], images }, ids)) row = one
  const [x, y] = [a.ids[place], b.ids[place]].map((id) => (id === undefined ? NaN : row![id]!))
  return (x! - y!).toFixed(4)
}
