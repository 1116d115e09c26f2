import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { nano, readGoldenCases, readGoldenImages } from '../../../test/parity/golden-cases.ts'
import { follow } from '../../../test/support/model/follow-answer.ts'
import {
  oddConfig,
  randomTensors,
  writeCheckpoint,
} from '../../../test/support/model/write-checkpoint.ts'
import { openModelSource, type ModelSource } from '../convert/source/model-source.ts'
import { PartBalance } from '../convert/graphs/part-balance.ts'
import { componentForms, type FormChoice } from '../convert/graphs/weight-forms.ts'
import { defaultExpandedFromTokens } from '../deepseek/lane-plan.ts'
import { openModel } from '../load-model.ts'
import { streamLogits, type PicturedText } from './stream-logits.ts'

let root: string
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'streamed-'))
})
afterAll(() => rm(root, { recursive: true }))

/** Milliseconds: whole models are converted and run, token by token. */
const patience = 120_000

const { signal } = new AbortController()

function quiet({ checkpoint, config }: ModelSource) {
  return { balance: new PartBalance(checkpoint, config), onProgress() {}, signal }
}

/** Rows of logits of each form, put together from the pieces. */
async function streamed(
  source: ModelSource,
  texts: readonly PicturedText[],
  choices: readonly FormChoice[],
): Promise<Float32Array[][]> {
  const { vocab_size: vocabulary } = source.config.text_config
  const rows = texts.reduce((sum, { answerIds }) => sum + answerIds.length, 0)
  const all = choices.map(() => Array.from({ length: rows }, () => new Float32Array(vocabulary)))
  const forms = choices.map(componentForms)
  for await (const { firstId, count, logits } of streamLogits(
    source,
    texts,
    forms,
    quiet(source),
  )) {
    logits.forEach((piece, form) =>
      all[form]!.forEach((row, i) => row.set(piece.subarray(i * count, (i + 1) * count), firstId)),
    )
  }
  return all
}

/** The same with the model as it is served: loaded whole, answers token by token. */
async function served(
  source: ModelSource,
  texts: readonly PicturedText[],
  choice: FormChoice,
): Promise<Float32Array[]> {
  const modelsDir = join(root, 'models')
  const model = await openModel(source, { ...choice, modelsDir, threads: 2, slots: 1 })
  try {
    const rows: Float32Array[] = []
    for (const text of texts) {
      const answer = text.answerIds.slice(0, -1)
      for await (const logits of follow(model, text, answer)) rows.push(logits)
    }
    return rows
  } finally {
    await model.close()
  }
}

/** Mean difference between the logits of each row, in ascending order. */
function rowDifferences(a: readonly Float32Array[], b: readonly Float32Array[]): number[] {
  expect(a.length).toBe(b.length)
  return a
    .map((row, i) => {
      const total = row.reduce((sum, logit, id) => sum + Math.abs(logit - b[i]![id]!), 0)
      return total / row.length
    })
    .toSorted((x, y) => x - y)
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

/** Every fourth case, and those with several pictures. */
async function goldenTexts(): Promise<PicturedText[]> {
  const cases = await readGoldenCases()
  const some = cases.filter(({ images }, i) => i % 4 === 0 || images.length > 1)
  return Promise.all(
    some.map(async (golden) => ({
      promptIds: golden.prompt_ids,
      answerIds: golden.greedy_ids,
      images: await readGoldenImages(golden),
    })),
  )
}

describe('streamLogits()', () => {
  it(
    'gives the logits of the whole model, in each form',
    async () => {
      const source = await openModelSource(nano)
      const texts = await goldenTexts()
      // Long enough to be read with keys and values expanded, unlike the others.
      const { promptIds, answerIds, images } = texts.find((text) => text.images.length === 0)!
      const repeated = Array.from({ length: 6 }, () => promptIds).flat()
      expect(repeated.length).toBeGreaterThan(defaultExpandedFromTokens)
      texts.push({ promptIds: repeated, answerIds, images })
      expect(Math.max(...texts.map((text) => text.images.length))).toBeGreaterThan(1)
      const choices: FormChoice[] = [
        { weights: 'f32' },
        { weights: 'q8' },
        { weights: 'q8', exact: ['experts', 'vision'], blockSize: 32 },
      ]
      const all = await streamed(source, texts, choices)
      for (const [form, choice] of choices.entries()) {
        const found = rowDifferences(all[form]!, await served(source, texts, choice))
        // In 8 bits, a last bit now and then decides to which level an activation is rounded.
        const rounding = mean(rowDifferences(all[form]!, all[0]!))
        expect(mean(found)).toBeLessThan(choice.weights === 'f32' ? 1e-5 : 0.5 * rounding)
        expect(found[0]).toBeLessThan(1e-5)
      }
      await source.checkpoint.close()
    },
    patience,
  )

  it(
    'takes other sizes: several dense layers, no pictures, answers of one token',
    async () => {
      const folder = join(root, 'odd')
      const config = await oddConfig()
      await writeCheckpoint(folder, config, randomTensors(config))
      const source = await openModelSource(folder)
      const texts = [
        { promptIds: [5, 800, 17, 300], answerIds: [9], images: [] },
        { promptIds: [1], answerIds: [2, 3, 4], images: [] },
      ]
      const [exact] = await streamed(source, texts, [{ weights: 'f32' }])
      const whole = await served(source, texts, { weights: 'f32' })
      expect(rowDifferences(exact!, whole).at(-1)).toBeLessThan(1e-5)
      await source.checkpoint.close()
    },
    patience,
  )

  it('ends when it is asked to', async () => {
    const source = await openModelSource(nano)
    const texts = [{ promptIds: [5], answerIds: [9], images: [] }]
    const ended = AbortSignal.abort(new Error('enough'))
    const forms = [componentForms({ weights: 'q8' })]
    const pieces = streamLogits(source, texts, forms, { ...quiet(source), signal: ended })
    await expect(pieces.next()).rejects.toThrow('enough')
    await source.checkpoint.close()
  })
})
