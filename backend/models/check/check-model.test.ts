import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import sharp from 'sharp'
import { nano } from '../../../test/parity/golden-cases.ts'
import { lookAt } from '../../../test/support/model/look-at.ts'
import { CheckpointError } from '../../checkpoint/checkpoint-error.ts'
import { openModelSource } from '../../model/convert/source/model-source.ts'
import { components } from '../../model/convert/graphs/weight-forms.ts'
import { openModel } from '../../model/load-model.ts'
import { prepareImage } from '../../processor/image/prepare-image.ts'
import { advice, checkModel } from './check-model.ts'

let root: string
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'check-'))
})
afterAll(() => rm(root, { recursive: true }))

async function check(references: { against?: string; features?: string } = {}) {
  const lines: string[] = []
  const problems = await checkModel({
    checkpointDir: nano,
    choice: { weights: 'q8' },
    ...references,
    report: (line, passing = false) => {
      if (!passing) lines.push(line)
    },
    signal: new AbortController().signal,
  })
  return { lines, problems }
}

/** Milliseconds: seven forms are run. */
const patience = 120_000

/** A picture, and its features by the whole model in float32. */
async function lookedAtWhole() {
  const image = await readFile('test/golden/images/g01.png')
  const source = await openModelSource(nano)
  const modelsDir = join(root, 'models')
  const options = { modelsDir, weights: 'f32', slots: 1, threads: 1 } as const
  const model = await openModel(source, options)
  const features = await lookAt(model, await prepareImage(image, source.preprocessor))
  await model.close()
  await source.checkpoint.close()
  return { image, features }
}

describe('checkModel()', () => {
  it(
    'compares each component with float32',
    async () => {
      const { lines, problems } = await check()
      expect(problems).toEqual([])
      const [tokenizer, set, measured, outliers, all, ...rest] = lines
      expect(tokenizer).toMatch(/^tokenizer: not compared, because/)
      expect(set).toMatch(/^compared on 6 texts and 4 pictures with answers, sha256 [\da-f]{64}$/)
      expect(measured).toMatch(/^channels measured with the calibration set, sha256 [\da-f]{64}$/)
      expect(outliers).toBe('outliers: no channel is out of balance')
      const [, agreeing, tokens] =
        /^against float32: divergence \S+ nats a token, (\d+) of (\d+) likeliest/.exec(all!)!
      expect(Number(tokens)).toBeGreaterThan(200)
      expect(Number(agreeing) / Number(tokens)).toBeGreaterThan(0.98)
      expect(rest.slice(0, -1).map((line) => line.split(' ')[3])).toEqual(components)
      expect(rest.at(-1)).toBe('no component needs a finer form')
    },
    patience,
  )

  it(
    'finds the answers of another implementation again, and says which are not',
    async () => {
      const { lines, problems } = await check({ against: 'test/golden/model.json' })
      expect(problems).toEqual([])
      const [, counts] = /(\d+ of \d+) likeliest tokens the same in 42 answers/.exec(lines.at(-1)!)!
      expect(counts).toBe('999 of 999')
      const cases = JSON.parse(await readFile('test/golden/model.json', 'utf8')) as {
        id: string
        greedy_ids: number[]
      }[]
      for (const golden of cases.slice(0, 2)) golden.greedy_ids.fill(7)
      await cp('test/golden/images', join(root, 'images'), { recursive: true })
      await writeFile(join(root, 'other.json'), JSON.stringify(cases.slice(0, 3)))
      const other = await check({ against: join(root, 'other.json') })
      expect(other.problems).toEqual([
        `2 of 3 answers are not the reference's: ${cases[0]!.id}, ${cases[1]!.id}`,
      ])
    },
    patience,
  )

  it(
    'finds image features of another implementation again, and says when they are not',
    async () => {
      const file = join(root, 'features.json')
      const { image, features } = await lookedAtWhole()
      const { data: rgb, info } = await sharp(image).removeAlpha().raw().toBuffer({
        resolveWithObject: true,
      })
      const write = (embd: readonly number[]) => {
        const reference = { w: info.width, h: info.height, rgb: rgb.toString('base64'), embd }
        return writeFile(file, JSON.stringify({ image: reference }))
      }
      await write([...features])
      const { lines, problems } = await check({ features: file })
      expect(problems).toEqual([])
      expect(lines.at(-1)).toMatch(/ 9 image tokens differ by 0\.0 % in float32, by [0-3]\.\d+ %/)
      await write([...features].toReversed())
      expect((await check({ features: file })).problems).toEqual([
        expect.stringMatching(/^the image features are not the reference's: they differ by 1\d\d %$/),
      ])
      await write([...features].slice(128))
      await expect(check({ features: file })).rejects.toThrow(
        `${file} has 8 rows of features, this model makes 9`,
      )
    },
    patience,
  )

  it('names a reference that is none', async () => {
    const file = join(root, 'none.json')
    await expect(check({ against: file })).rejects.toThrow(CheckpointError)
    await expect(check({ features: file })).rejects.toThrow(
      `${file} is missing, or holds no image with its features`,
    )
    await writeFile(file, '[{"id":"a","images":["../a.png"]}]')
    await expect(check({ against: file })).rejects.toThrow(`${file} is missing, or holds no answers`)
  })
})

describe('advice()', () => {
  const fidelity = (divergence: number) => ({ tokens: 100, divergence, agreeing: 90 })

  it('names the component whose float32 form brings most', () => {
    const finer = new Map([
      ['vision', fidelity(0.3)],
      ['experts', fidelity(0.1)],
    ] as const)
    expect(advice({ rounded: fidelity(0.4), finer })).toBe(
      'keep experts finer: EXACT_WEIGHTS=experts takes it from 0.40 to 0.10 nats a token',
    )
    expect(advice({ rounded: fidelity(0.05), finer })).toMatch(/^no single component/)
    expect(advice({ rounded: fidelity(0.001), finer })).toMatch(/^no component needs/)
  })
})
