import { join } from 'node:path'
import { openWebGpuAccelerator } from '../../../../backend/model/accelerator/webgpu-accelerator.ts'
import { openDeviceModel } from '../../../../test/parity/device-models.ts'
import { together } from '../../../../test/parity/device-checks.ts'
import { greedy, readGoldenCases, type GoldenCase } from '../../../../test/parity/golden-cases.ts'
import { decodeRow, decodings, prefillRows, profiledSteps } from '../decoder-rows.ts'
import { loadRows, machineRows, type CardBench } from '../open-card-bench.ts'
import { benchStep } from '../profile-steps.ts'
import { usedMemory } from '../used-memory.ts'
import { firstTokenRow } from '../vision-rows.ts'
import { benchCallers } from '../../engine.ts'
import type { Model } from '../../../../backend/model/model.ts'
import { timed, type BenchRow } from '../../measure.ts'
import { callerSizes, mixedSizes, promptRounds } from './affordable-tokens.ts'
import type { CardContext } from './card-context.ts'
import { mixedRequests } from './mixed-requests.ts'
import { nanoChecks, openedOnce } from './nano-checks.ts'
import type { PartPlan, Step } from './part.ts'
import { pictureRows } from './picture-rows.ts'

/** A part of the check: its steps yield what they measure, and throw when something is wrong. */
interface Part extends PartPlan {
  /** Whether answers are compared with the reference's: the check passes when all of these do. */
  readonly isGolden?: boolean
  readonly steps: (context: CardContext) => readonly Step[]
}

/**
 * In the order in which they run: the most informative for the least work first. What a part does not need of its share is for those
 * after it, so the golden answers, without which nothing else counts, may take long, and the most numerous checks are last.
 */
export const parts: readonly Part[] = [
  { name: 'golden', share: 150, isGolden: true, steps: golden },
  { name: 'load', share: 60, needsWeights: true, steps: load },
  { name: 'decode', share: 65, needsWeights: true, steps: decode },
  { name: 'picture', share: 45, needsWeights: true, steps: picture },
  { name: 'streams', share: 45, needsWeights: true, steps: streams },
  { name: 'prompts', share: 25, needsWeights: true, steps: prompts },
  { name: 'operators', share: 40, needsWeights: true, steps: operators },
  { name: 'requests', share: 65, needsWeights: true, steps: requests },
  { name: 'pictures', share: 25, steps: pictures },
  { name: 'checks', share: 65, isGolden: true, steps: checks },
]

/** Golden cases on a driver that computes on the CPU: one of each kind. */
const fewCases = ['text-hello', 'text-count', 'describe-g03', 'two-images', 'multi-turn', 'json']

/** Ids of the full model's vocabulary from which on they control. */
const controlIdsFrom = 163_584

/** Tokens of requests to a driver that computes on the CPU. */
const softwareSizes = {
  atOnce: { prompt: 16, answer: 4 },
  mixed: { prompt: [2, 24], answer: [1, 6] },
} as const

const softwarePrompts = { prompts: [8], rounds: 1 } as const

async function casesFor({ options }: CardContext) {
  const all = await readGoldenCases()
  return options.isSoftware ? all.filter(({ id }) => fewCases.includes(id)) : all
}

const nanoFolder = ({ options }: CardContext) => join(options.dir, 'nano')

/** The included tiny model in 8 bits: the texts are the reference's, one by one and several at once. */
function golden(context: CardContext): Step[] {
  const opened = openedOnce(() =>
    openDeviceModel('q8', openWebGpuAccelerator(), nanoFolder(context)),
  )
  return [
    {
      name: 'golden answers in 8 bits',
      run: async function* () {
        yield await goldenRow(await opened.model(), await casesFor(context))
      },
    },
    {
      name: 'several at once in 8 bits',
      run: async function* () {
        try {
          yield await togetherRow(await opened.model())
        } finally {
          await opened.close()
        }
      },
    },
  ]
}

async function togetherRow(model: Model): Promise<BenchRow> {
  const ms = await timed(() => together(model))
  const value = `right in ${(ms / 1000).toFixed(1)} s`
  return { name: 'golden answers in 8 bits, several at once', value, ratio: '', data: { ms } }
}

/** @throws {Error} when texts differ from the reference's */
async function goldenRow(model: Model, cases: readonly GoldenCase[]): Promise<BenchRow> {
  const wrong: string[] = []
  let furthest = 0
  for (const one of cases) {
    const { ids, logits } = await greedy(model, one)
    if (ids.join() !== one.greedy_ids.join()) wrong.push(one.id)
    for (const [id, logit] of one.first_logits_top5) {
      furthest = Math.max(furthest, Math.abs(logits[0]![id]! - logit))
    }
  }
  const logits = `first logits within ${furthest.toFixed(2)}`
  if (wrong.length > 0) {
    const share = `${wrong.length} of ${cases.length} texts`
    throw new Error(`${share} are not the reference's: ${wrong.join(', ')}; ${logits}`)
  }
  return {
    name: 'golden answers in 8 bits',
    value: `${cases.length} of ${cases.length} texts`,
    ratio: logits,
    data: { cases: cases.length, furthest },
  }
}

/** The full model's dimensions, with random weights. */
function load(context: CardContext): Step[] {
  return [
    {
      name: 'weights and limits',
      run: async function* () {
        const bench = await context.bench()
        yield* loadRows(bench)
        yield* machineRows(bench)
      },
    },
  ]
}

function decode(context: CardContext): Step[] {
  return decodings(context.options.slots).map((decoding) => ({
    name: decoding.drafted === 0 ? `${decoding.sequences} at once` : 'a draft',
    run: async function* () {
      yield await decodeRow(await context.bench(), decoding)
    },
  }))
}

function picture(context: CardContext): Step[] {
  return [
    {
      name: 'first token',
      run: async function* () {
        yield await firstTokenRow(await context.bench(), await context.vision())
      },
    },
  ]
}

function streams(context: CardContext): Step[] {
  return [
    {
      name: 'requests at once',
      run: async function* () {
        const bench = await context.bench()
        const { model, slots, isSoftware } = bench
        const sizes = isSoftware ? softwareSizes.atOnce : callerSizes(rateOf(bench), slots)
        yield await benchCallers(model, slots, sizes)
      },
    },
  ]
}

const rateOf = ({ eightBitGigaflops, card }: CardBench) => ({
  eightBitGigaflops,
  weightBytes: card.decoder.weightBytes,
})

/** Checks of the tiny model, mainly in float32: a failure shows which operator to look at. */
function checks(context: CardContext): Step[] {
  return nanoChecks({ modelsDir: nanoFolder(context), cases: () => casesFor(context) })
}

function prompts(context: CardContext): Step[] {
  return [
    {
      name: 'prompts',
      run: async function* () {
        const bench = await context.bench()
        const asked = bench.isSoftware ? softwarePrompts : promptRounds(rateOf(bench))
        yield* await prefillRows(bench, asked.prompts, asked.rounds)
      },
    },
  ]
}

function operators(context: CardContext): Step[] {
  return profiledSteps(context.options).map((kind) => ({
    name: kind.name,
    run: async function* () {
      yield* await benchStep((await context.bench()).card, kind)
    },
  }))
}

function requests(context: CardContext): Step[] {
  const { requests: count, isSoftware } = context.options
  return [
    {
      name: 'mixed requests',
      run: async function* (leftMs) {
        const bench = await context.bench()
        const { model, slots } = bench
        yield* mixedRequests(model, {
          requests: count,
          slots,
          sizes: isSoftware ? softwareSizes.mixed : mixedSizes(rateOf(bench), count),
          controlIdsFrom,
          usedMemory: () => usedMemory(isSoftware),
          leftMs,
        })
      },
    },
  ]
}

/** The tiny model's answers about pictures that it has not seen, on the card and on the CPU. */
function pictures(context: CardContext): Step[] {
  const { isSoftware } = context.options
  const options = { modelsDir: nanoFolder(context), scenes: isSoftware ? 4 : 100 }
  return [{ name: 'drawn pictures', run: (leftMs) => pictureRows({ ...options, leftMs }) }]
}
