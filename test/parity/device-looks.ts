import assert from 'node:assert/strict'
import type { Model } from '../../backend/model/model.ts'
import { lookAt } from '../support/look-at.ts'
import { largestDifference, statistics } from './differences.ts'
import { readGoldenCases, readGoldenImages, type GoldenCase } from './golden-cases.ts'

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
  runs.forEach(({ features }, i) => assert.ok(largestDifference(features!, whole[i]!) < 1e-4))
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
