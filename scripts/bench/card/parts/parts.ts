import { join } from 'node:path'
import { openWebGpuAccelerator } from '../../../../backend/model/accelerator/webgpu-accelerator.ts'
import { joinAndLeave } from '../../../../test/parity/device-checks.ts'
import { openDeviceModel } from '../../../../test/parity/device-models.ts'
import { greedy, readGoldenCases } from '../../../../test/parity/golden-cases.ts'
import { decodeRows, prefillRows, stepRows } from '../decoder-rows.ts'
import { loadRow, machineRows } from '../open-card-bench.ts'
import { firstTokenRow } from '../vision-rows.ts'
import { benchCallers } from '../../engine.ts'
import { timed, type BenchRow } from '../../measure.ts'
import type { CardContext } from './card-context.ts'
import { mixedRequests } from './mixed-requests.ts'
import type { PartPlan } from './part.ts'

/** A part of the check: it yields what it measures, and throws when something is wrong. */
interface Part extends PartPlan {
  /** Whether answers are compared with the reference's: the check passes when all of these do. */
  readonly isGolden?: boolean
  readonly run: (context: CardContext) => AsyncIterable<BenchRow>
}

const second = 1000

/** In the order in which they run: what says most with the least work first. Their deadlines make 8 minutes together. */
export const parts: readonly Part[] = [
  { name: 'golden', deadlineMs: 70 * second, isGolden: true, run: golden },
  { name: 'batching', deadlineMs: 50 * second, isGolden: true, run: batching },
  { name: 'load', deadlineMs: 70 * second, run: load },
  { name: 'table', deadlineMs: 120 * second, run: table },
  { name: 'picture', deadlineMs: 50 * second, run: picture },
  { name: 'streams', deadlineMs: 40 * second, run: streams },
  { name: 'requests', deadlineMs: 80 * second, run: requests },
]

/** Golden cases on a driver that computes on the CPU: one of each kind. */
const fewCases = ['text-hello', 'text-count', 'describe-g03', 'two-images', 'multi-turn', 'json']

/** Sequences that join and leave. */
const batchingSlots = 8

async function casesFor({ options }: CardContext) {
  const all = await readGoldenCases()
  return options.isSoftware ? all.filter(({ id }) => fewCases.includes(id)) : all
}

/** The included tiny model in 8 bits: the texts are the reference's. */
async function* golden(context: CardContext): AsyncGenerator<BenchRow> {
  const cases = await casesFor(context)
  const modelsDir = join(context.options.dir, 'nano')
  const model = await openDeviceModel('q8', openWebGpuAccelerator(), modelsDir)
  const wrong: string[] = []
  let furthest = 0
  for (const one of cases) {
    const { ids, logits } = await greedy(model, one)
    if (ids.join() !== one.greedy_ids.join()) wrong.push(one.id)
    for (const [id, logit] of one.first_logits_top5) {
      furthest = Math.max(furthest, Math.abs(logits[0]![id]! - logit))
    }
  }
  await model.close()
  yield {
    name: 'golden answers in 8 bits',
    value: `${cases.length - wrong.length} of ${cases.length} texts`,
    ratio: `first logits within ${furthest.toFixed(2)}`,
    data: { cases: cases.length, wrong: wrong.length, furthest },
  }
  if (wrong.length > 0) throw new Error(`other texts than the reference's: ${wrong.join(', ')}`)
}

/** The same model in float32: sequences that join and leave between steps answer as if each were alone. */
async function* batching(context: CardContext): AsyncGenerator<BenchRow> {
  const cases = await casesFor(context)
  const modelsDir = join(context.options.dir, 'nano')
  const model = await openDeviceModel('f32', openWebGpuAccelerator(), modelsDir, batchingSlots)
  const ms = await timed(() => joinAndLeave(model, cases))
  await model.close()
  yield {
    name: `${batchingSlots} slots, sequences joining and leaving`,
    value: `right in ${(ms / second).toFixed(1)} s`,
    ratio: '',
    data: { slots: batchingSlots, ms },
  }
}

async function* load(context: CardContext): AsyncGenerator<BenchRow> {
  yield loadRow(await context.bench())
}

async function* table(context: CardContext): AsyncGenerator<BenchRow> {
  const bench = await context.bench()
  yield* machineRows(bench)
  yield* decodeRows(bench)
  yield* stepRows(bench)
  yield* await prefillRows(bench, context.prompts)
}

async function* picture(context: CardContext): AsyncGenerator<BenchRow> {
  yield firstTokenRow(await context.bench(), await context.vision())
}

async function* streams(context: CardContext): AsyncGenerator<BenchRow> {
  const { model, slots } = await context.bench()
  yield benchCallers(
    model,
    slots,
    context.options.isSoftware ? { prompt: 16, answer: 4 } : undefined,
  )
}

async function* requests(context: CardContext): AsyncGenerator<BenchRow> {
  yield* mixedRequests(await context.bench(), context.options)
}
