import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { prepareImage } from '../../processor/image/prepare-image.ts'
import { createPatchNormalizer } from './normalize-patches.ts'
import { readPreprocessorConfig } from '../config/preprocessor-config.ts'

interface GoldenImage {
  file: string
  config: object
  patches_sha256: string
  patches_first: number[]
  patches_last: number[]
}

const config = await readPreprocessorConfig('models/kimi-vl-nano')
const goldens = (
  JSON.parse(readFileSync('test/golden/preprocess.json', 'utf8')) as GoldenImage[]
).filter((golden) => ['g01.png', 'g05.png', 'p03.png'].includes(golden.file))

describe('createPatchNormalizer()', () => {
  it.each(goldens.filter((golden) => Object.keys(golden.config).length === 0))(
    'gives the reference floats of $file, bit for bit',
    async (golden) => {
      const file = readFileSync(`test/golden/images/${golden.file}`)
      const values = createPatchNormalizer(config)((await prepareImage(file, config)).patches)
      golden.patches_first.forEach((value, i) => expect(values[i]).toBeCloseTo(value, 5))
      golden.patches_last.forEach((value, i) => expect(values.at(i - 16)).toBeCloseTo(value, 5))
      const bytes = new Uint8Array(values.buffer)
      expect(createHash('sha256').update(bytes).digest('hex')).toBe(golden.patches_sha256)
    },
  )

  it('uses the mean and deviation of each channel', () => {
    const normalize = createPatchNormalizer({
      patchSize: 1,
      mean: [0, 0.5, 1],
      std: [1, 0.5, 0.25],
    })
    expect([...normalize(Uint8Array.of(255, 255, 255, 0, 0, 0))]).toEqual([1, 1, 0, 0, -1, -4])
  })

  it('refuses bytes that are no whole patches', () => {
    expect(() => createPatchNormalizer(config)(new Uint8Array(589))).toThrow(RangeError)
  })
})
