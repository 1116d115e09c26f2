import assert from 'node:assert/strict'
import { DeviceFeatures } from '../../backend/model/accelerator/feature-memory.ts'
import type { ImageFeatures, Model } from '../../backend/model/model.ts'
import { featuresOf, lookAt, valuesOf } from '../support/model/look-at.ts'
import { largestDifference, statistics } from './differences.ts'
import { answer, readGoldenCases, readGoldenImages, type GoldenCase } from './golden-cases.ts'

/** The golden values of pictures that every decoder decodes alike. */
export async function looks(model: Model, cases: readonly GoldenCase[]): Promise<void> {
  for (const golden of lossless(cases)) {
    for (const [i, image] of (await readGoldenImages(golden)).entries()) {
      const features = await lookAt(model, image)
      const { shape, first, last } = golden.projector[i]!
      const [rows, width] = shape
      assert.equal(features.length, rows * width)
      const lastRow = features.subarray((rows - 1) * width)
      for (const [actual, expected] of [
        [features, first[0]!],
        [features.subarray(width), first[1]!],
        [lastRow, last],
      ] as const) {
        assert.ok(largestDifference(actual, expected) < 2e-3, `${golden.id}, picture ${i}`)
      }
    }
  }
}

/** Two pictures under way at a time, in pieces that take turns, beside one that is given up. */
export async function looksInPieces(model: Model): Promise<void> {
  const golden = (await readGoldenCases()).find(({ id }) => id === 'two-images')!
  const [first, second] = await readGoldenImages(golden)
  const whole = [await lookAt(model, first!), await lookAt(model, second!)]
  const runs = [model.beginImage(first!), model.beginImage(second!)]
  const abandoned = model.beginImage(first!)
  await abandoned.advance(1)
  abandoned.close()
  while (runs.some(({ features }) => features === undefined)) {
    for (const run of runs) if (run.features === undefined) await run.advance(40)
  }
  for (const [i, { features }] of runs.entries()) {
    assert.ok(largestDifference(await valuesOf(features!), whole[i]!) < 1e-4)
  }
}

/** Features stay on the device, and come to the host once its memory for them is full. */
export async function keepsFeatures(model: Model): Promise<void> {
  const golden = (await readGoldenCases()).find(({ id }) => id === 'describe-g03')!
  const [image] = await readGoldenImages(golden)
  const kept = await featuresOf(model, image!)
  assert.ok(kept instanceof DeviceFeatures)
  const held = []
  let features = kept as ImageFeatures
  for (; features instanceof DeviceFeatures; features = await featuresOf(model, image!)) {
    while (held.length % 256 !== 255) held.push(model.beginImage(image!))
    held.push(features)
  }
  assert.ok(largestDifference(await valuesOf(features), await kept.read()) < 1e-4)
  for (const one of [kept, features]) {
    const at = golden.prompt_ids.indexOf(model.info.imageTokenId)
    const { ids } = await answer(model, golden.prompt_ids, [{ at, features: one }], 64)
    assert.deepEqual(ids, golden.greedy_ids)
  }
}

export async function looksAlike(model: Model, cases: readonly GoldenCase[]): Promise<void> {
  for (const golden of lossless(cases)) {
    for (const [i, image] of (await readGoldenImages(golden)).entries()) {
      const features = await lookAt(model, image)
      const ratio = statistics(features).std / golden.projector[i]!.std
      assert.ok(Math.abs(ratio - 1) < 0.01, `${golden.id}: ${ratio}`)
    }
  }
}

function lossless(cases: readonly GoldenCase[]): GoldenCase[] {
  return cases.filter(({ images }) => images.every((name) => name.endsWith('.png')))
}
