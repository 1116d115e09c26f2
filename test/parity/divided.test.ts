import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DeviceError, type Accelerator } from '../../backend/model/accelerator/accelerator.ts'
import { openHostAccelerator } from '../support/model/host-accelerator.ts'
import type { WeightFormName } from '../../backend/model/convert/graphs/weight-forms.ts'
import { loadModel } from '../../backend/model/load-model.ts'
import type { Model, SlotId, StepRow } from '../../backend/model/model.ts'
import { allLogits } from '../support/model/all-logits.ts'
import {
  cancels,
  drafts,
  forks,
  goldenAnswers,
  joinAndLeave,
  restoresPrefixes,
  tellsLogprobs,
  together,
} from './device-checks.ts'
import { cacheTokens } from './device-models.ts'
import { drawsAlike } from './device-sampling.ts'
import { nano, readGoldenCases } from './golden-cases.ts'

const cases = await readGoldenCases()
/** Milliseconds: each check runs hundreds of steps, on a machine that may be busy. */
const patience = 240_000

let modelsDir: string
beforeAll(async () => {
  modelsDir = await mkdtemp(join(tmpdir(), 'divided-'))
})
afterAll(() => rm(modelsDir, { recursive: true }))

/** Nano's first layers as the CPU runs them, and the rest of its four in the form for a device, run by the CPU as well. */
function open(
  weights: WeightFormName,
  stageLayers: readonly number[],
  accelerator: Accelerator = openHostAccelerator(1),
  tokens = cacheTokens,
): Promise<Model> {
  const cpuLayers = stageLayers.reduce((sum, layers) => sum + layers, 0)
  const device = { accelerator, cacheTokens: tokens, cpuLayers }
  return loadModel({
    checkpointDir: nano,
    modelsDir,
    weights,
    slots: 4,
    threads: 1,
    stageLayers,
    device,
    // Short enough for a golden prompt to be read in either way.
    expandedFromTokens: 48,
  })
}

it.each([
  ['f32', [1]],
  ['f32', [1, 2]],
  ['q8', [2]],
] as const)(
  'a decoder in %s whose first layers are on the CPU, in stages of %j, gives the golden answers',
  async (weights, cut) => {
    const model = await open(weights, cut)
    const some = (rest: number) => cases.filter((_, i) => i % 6 === rest)
    await expect(goldenAnswers(weights)(model, some(0))).resolves.toBeUndefined()
    await expect(joinAndLeave(model, some(1))).resolves.toBeUndefined()
    await model.close()
  },
  patience,
)

describe('a decoder with half of its layers on the CPU', () => {
  let model: Model
  beforeAll(async () => {
    model = await open('f32', [2])
  })
  afterAll(() => model.close())

  it.each([
    ['answers several prompts at once, in chunks', together],
    ['gives the logits before each token of a draft', drafts],
    ['restores prompts from the prefix cache', restoresPrefixes],
    ['forks prompts for several choices', forks],
    ['ends cancelled answers and frees their rows', cancels],
    ['tells log probabilities', tellsLogprobs],
    ['draws from the largest logits as from all', drawsAlike],
  ])(
    '%s',
    async (_, run) => {
      await expect(run(model, cases)).resolves.toBeUndefined()
    },
    patience,
  )

  it('takes features of pictures from the host’s memory', () => {
    const image = { patches: new Uint8Array(4 * 3 * 14 * 14), gridHw: [2, 2] as const }
    const run = model.beginImage(image)
    return expect(run.advance(Infinity).then(() => run.features)).resolves.toBeInstanceOf(
      Float32Array,
    )
  })
})

describe('a step that fails', () => {
  it('leaves both sides as they were', { timeout: patience }, async () => {
    const host = openHostAccelerator(1)
    let isFailing = false
    const run: Accelerator['run'] = (...call) =>
      isFailing ? Promise.reject(new DeviceError('lost')) : host.run(...call)
    const model = await open('f32', [1, 1], { ...host, run })
    const [undisturbed, slot] = [await afterPrompt(model), await afterPrompt(model)]
    const expected = await logitsOf(model, row(undisturbed, [5, 6]))
    isFailing = true
    const failing = [row(slot, [5, 6]), row(model.openSlot(), [9])]
    await expect(model.step(failing)).rejects.toThrow(DeviceError)
    expect(failing.map((one) => model.slotLength(one.slot))).toEqual([promptTokens, 0])
    isFailing = false
    const kept = model.keepRows(slot, 0, promptTokens)
    const fork = model.forkSlot(slot, promptTokens)
    model.restoreRows(failing[1]!.slot, kept)
    for (const one of [slot, fork, failing[1]!.slot]) {
      expect(await logitsOf(model, row(one, [5, 6]))).toEqual(expected)
    }
    await model.close()
  })

  it('that the device’s cache has no room for, too', { timeout: patience }, async () => {
    const model = await open('f32', [2], openHostAccelerator(1), 2 * promptTokens)
    const slot = await afterPrompt(model)
    const tooMany = Array.from({ length: promptTokens + 1 }, () => 7)
    await expect(model.step([row(slot, tooMany)])).rejects.toThrow(RangeError)
    expect(model.slotLength(slot)).toBe(promptTokens)
    model.truncateSlot(slot, 3)
    const again = model.openSlot()
    await model.step([row(again, prompt.slice(0, 3))])
    expect(await logitsOf(model, row(slot, [5]))).toEqual(await logitsOf(model, row(again, [5])))
    await model.close()
  })
})

const promptTokens = 20
const prompt = Array.from({ length: promptTokens }, (_, i) => 100 + i)

function row(slot: SlotId, ids: readonly number[]): StepRow {
  return { slot, tokenIds: Int32Array.from(ids), features: [], sample: true }
}

async function afterPrompt(model: Model): Promise<SlotId> {
  const slot = model.openSlot()
  await model.step([row(slot, prompt)])
  return slot
}

async function logitsOf(model: Model, only: StepRow): Promise<Float32Array> {
  return (await allLogits(model.step([only])))[0]!
}
