import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openModel } from '../../backend/model/load-model.ts'
import { prepareModelFolder } from '../../backend/model/convert/model-folder.ts'
import { measureChannels } from '../../backend/model/streamed/measure-channels.ts'
import type { WeightFormName } from '../../backend/model/convert/graphs/weight-forms.ts'
import { openModelSource } from '../../backend/model/convert/source/model-source.ts'
import { visionNames } from '../../backend/model/moonvit/vision-names.ts'
import { createPatchNormalizer } from '../../backend/model/moonvit/normalize-patches.ts'
import { readPreprocessorConfig } from '../../backend/model/config/preprocessor-config.ts'
import { PatchState } from '../../backend/model/moonvit/patch-state.ts'
import { createSession } from '../../backend/model/sessions.ts'
import { mergedPatches } from '../../backend/model/moonvit/pass-inputs.ts'
import { visionPasses, type OpenTower } from '../../backend/model/moonvit/vision-passes.ts'
import { largestDifference, statistics } from './differences.ts'
import {
  greedy,
  logProbability,
  nano,
  readGoldenCases,
  readGoldenImages,
  type GoldenCase,
} from './golden-cases.ts'

const cases = await readGoldenCases()
const pictured = cases.filter(({ images }) => images.length > 0)
/** Lossy files may decode differently by a few levels, so their vision values are not compared. */
const lossless = pictured.filter(({ images }) => images.every((name) => name.endsWith('.png')))

let modelsDir: string
beforeAll(async () => {
  modelsDir = await mkdtemp(join(tmpdir(), 'parity-'))
})
afterAll(() => rm(modelsDir, { recursive: true }))

async function openBoth(weights: WeightFormName) {
  const options = { modelsDir, weights, slots: 1, threads: 2 }
  const source = await openModelSource(nano)
  const model = await openModel(source, options)
  const folder = await prepareModelFolder(source, { ...options, measure: measureChannels })
  await source.checkpoint.close()
  if (folder.vision.layout !== 'cpu') throw new RangeError('it is laid out for the CPU')
  const { graphFiles } = folder.vision
  const open = (file: string) => createSession(file, { threads: 2 })
  const sessions = {
    embedding: await open(graphFiles.embedding),
    blocks: await open(graphFiles.blocks),
    projector: await open(graphFiles.projector),
  }
  const vision: OpenTower = {
    sessions,
    config: source.config.vision_config,
    normalize: createPatchNormalizer(await readPreprocessorConfig(nano)),
    featureWidth: model.info.hiddenSize,
  }
  const close = async () => {
    await model.close()
    for (const session of Object.values(sessions)) await session.release()
  }
  return { model, vision, close }
}
type Opened = Awaited<ReturnType<typeof openBoth>>

/** The results of vision tower and projector for each image of a case. */
async function visionStages({ vision }: Opened, golden: GoldenCase) {
  const stages: { patchFeatures: Float32Array; imageFeatures: Float32Array }[] = []
  for (const image of await readGoldenImages(golden)) {
    const patches = image.gridHw[0] * image.gridHw[1]
    const tokens = patches / mergedPatches(vision.config)
    const imageFeatures = new Float32Array(tokens * vision.featureWidth)
    const state = new PatchState(patches, vision.config)
    for (const pass of visionPasses(vision, image, state, imageFeatures)) await pass.run(0, patches)
    const patchFeatures = state.feeds(0, patches)[visionNames.hidden]!.data as Float32Array
    stages.push({ patchFeatures, imageFeatures })
  }
  return stages
}

describe('float32 graphs against the reference', () => {
  let open: Opened
  beforeAll(async () => {
    open = await openBoth('f32')
  })
  afterAll(() => open.close())

  it.each(lossless)('$id: vision and projector values within 2e-3', async (golden) => {
    const stages = await visionStages(open, golden)
    for (const [index, { patchFeatures, imageFeatures }] of stages.entries()) {
      for (const [actual, expected] of [
        [patchFeatures, golden.vision[index]!],
        [imageFeatures, golden.projector[index]!],
      ] as const) {
        const [rows, width] = expected.shape
        expect(actual.length).toBe(rows * width)
        expect(largestDifference(actual, expected.first[0]!)).toBeLessThan(2e-3)
        expect(largestDifference(actual.subarray(width), expected.first[1]!)).toBeLessThan(2e-3)
        const last = actual.subarray((rows - 1) * width)
        expect(largestDifference(last, expected.last)).toBeLessThan(2e-3)
        const { mean, std } = statistics(actual)
        expect(mean).toBeCloseTo(expected.mean, 3)
        expect(std).toBeCloseTo(expected.std, 3)
      }
    }
  })

  it.each(cases)('$id: first logits, log-probabilities and greedy ids', async (golden) => {
    const { ids, logits } = await greedy(open.model, golden)
    expect(ids).toEqual(golden.greedy_ids)
    if (pictured.includes(golden) && !lossless.includes(golden)) return
    for (const [id, logit] of golden.first_logits_top5) {
      expect(Math.abs(logits[0]![id]! - logit)).toBeLessThan(5e-3)
    }
    const logprobs = ids.map((id, step) => logProbability(logits[step]!, id))
    expect(largestDifference(logprobs, golden.logprobs)).toBeLessThan(2e-3)
  })
})

describe('8-bit graphs against the reference', () => {
  let open: Opened
  beforeAll(async () => {
    open = await openBoth('q8')
  })
  afterAll(() => open.close())

  it.each(lossless)('$id: vision and projector deviations within 1 %', async (golden) => {
    const stages = await visionStages(open, golden)
    for (const [index, { patchFeatures, imageFeatures }] of stages.entries()) {
      const vision = statistics(patchFeatures).std / golden.vision[index]!.std
      const projector = statistics(imageFeatures).std / golden.projector[index]!.std
      expect(Math.abs(vision - 1)).toBeLessThan(0.01)
      expect(Math.abs(projector - 1)).toBeLessThan(0.01)
    }
  })

  it('all cases: first logits within 0.8, at most one greedy text differs', async () => {
    const different: string[] = []
    for (const golden of cases) {
      const { ids, logits } = await greedy(open.model, golden)
      if (ids.join() !== golden.greedy_ids.join()) different.push(golden.id)
      for (const [id, logit] of golden.first_logits_top5) {
        expect(Math.abs(logits[0]![id]! - logit), golden.id).toBeLessThan(0.8)
      }
    }
    expect(different.length, `differ: ${different.join()}`).toBeLessThanOrEqual(1)
  })
})
