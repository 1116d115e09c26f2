import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { WeightFormName } from '../../backend/model/convert/graphs/weight-forms.ts'
import { loadModel } from '../../backend/model/load-model.ts'
import type { FeatureSpan, Model, StepRow } from '../../backend/model/model.ts'
import { featureSpans, greedy, nano, readGoldenCases, type GoldenCase } from './golden-cases.ts'
import { Reader, runTogether } from './golden-reader.ts'

const cases = await readGoldenCases()
const pictured = cases.find(({ images }) => images.length > 1)!
/** Of the decoder's four layers, of which the first has no experts. */
const cuts = [
  [2, 2],
  [1, 3],
  [1, 1, 1, 1],
]

let modelsDir: string
beforeAll(async () => {
  modelsDir = await mkdtemp(join(tmpdir(), 'stages-'))
})
afterAll(() => rm(modelsDir, { recursive: true }))

function open(weights: WeightFormName, stageLayers?: readonly number[]): Promise<Model> {
  return loadModel({
    checkpointDir: nano,
    modelsDir,
    weights,
    stageLayers,
    slots: 3,
    threads: 2,
    // Short enough for a golden prompt to be read in either way.
    expandedFromTokens: 24,
  })
}

/**
 * All ways to use a decoder, one after the other: prompts in long and short chunks, several sequences in a step, a fork, a cut, and
 * rows kept and restored.
 * @returns every row of logits
 */
async function everyUse(model: Model, spans: readonly FeatureSpan[]): Promise<Float32Array[]> {
  const results: Float32Array[] = []
  const run = async (...rows: StepRow[]) => {
    const logits = await model.step(rows)
    for (const { row } of logits) results.push((await row()).slice())
  }
  const row = (
    slot: StepRow['slot'],
    ids: readonly number[],
    features: readonly FeatureSpan[] = [],
  ) => ({
    slot,
    tokenIds: Int32Array.from(ids),
    features,
    sample: true,
  })
  const [first, second] = [model.openSlot(), model.openSlot()]
  await run(row(first, pictured.prompt_ids, spans))
  await run(row(first, [5]), row(second, [7, 8, 9, 10]))
  const fork = model.forkSlot(first, model.slotLength(first) - 1)
  await run(row(first, [11]), row(fork, [12, 13]), row(second, [14]))
  model.truncateSlot(second, 2)
  await run(
    row(second, [15, 16]),
    row(
      fork,
      Array.from({ length: 30 }, (_, i) => 100 + i),
    ),
  )
  const kept = model.keepRows(first, 0, 32)
  model.closeSlot(first)
  const restored = model.openSlot()
  model.restoreRows(restored, kept)
  model.dropRows(kept)
  await run(row(restored, [17]), row(second, [18]))
  for (const slot of [second, fork, restored]) model.closeSlot(slot)
  return results
}

/** Golden answers, in steps that three of them share. */
async function answersTogether(model: Model, some: readonly GoldenCase[]): Promise<number[][]> {
  const answers: number[][] = []
  for (let from = 0; from < some.length; from += 3) {
    const three = some.slice(from, from + 3)
    const spans = await Promise.all(three.map((golden) => featureSpans(model, golden)))
    const readers = three.map((golden, i) => new Reader(model, golden, spans[i]!, 40))
    await runTogether(model, readers)
    answers.push(...readers.map(({ ids }) => ids))
  }
  return answers
}

describe.each(['f32', 'q8'] as const)('a decoder cut into stages, %s', (weights) => {
  it('computes every bit as one stage does', { timeout: 120_000 }, async () => {
    const whole = await open(weights)
    const spans = await featureSpans(whole, pictured)
    const expected = await everyUse(whole, spans)
    await whole.close()
    for (const cut of cuts) {
      const model = await open(weights, cut)
      expect(await everyUse(model, spans)).toEqual(expected)
      await model.close()
    }
  })

  it('gives the golden answers', { timeout: 120_000 }, async () => {
    const model = await open(weights, [2, 2])
    const short = cases.filter(({ images }) => images.length < 2).slice(0, 15)
    const expected = short.map(({ greedy_ids }) => greedy_ids)
    expect(await answersTogether(model, short)).toEqual(expected)
    const { ids } = await greedy(model, pictured)
    expect(ids).toEqual(pictured.greedy_ids)
    await model.close()
  })

  it('is refused when its stages do not hold all layers', async () => {
    for (const stages of [
      [2, 1],
      [4, 1],
      [4, 0],
    ]) {
      await expect(open(weights, stages)).rejects.toThrow(/stages of .* layers for a decoder of 4/)
    }
  })
})
