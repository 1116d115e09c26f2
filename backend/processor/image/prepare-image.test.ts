import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import sharp from 'sharp'
import { describe, expect, it } from 'vitest'
import { createPatchNormalizer } from '../../model/moonvit/normalize-patches.ts'
import type { PatchImage } from '../../model/model.ts'
import { readPreprocessorConfig } from '../../model/config/preprocessor-config.ts'
import type { PreprocessorConfig } from '../../model/config/preprocessor-config.ts'
import { planImage } from './image-size.ts'
import { prepareImage } from './prepare-image.ts'

interface GoldenImage {
  file: string
  lossless: boolean
  size: [number, number]
  config: { in_token_limit?: number; pad_input?: boolean }
  resized_size: [number, number]
  padded_size: [number, number]
  grid_hw: [number, number]
  image_tokens: number
  rgb_sha256: string
  rgb_mean: number[]
  rgb_samples_step: [number, number]
  rgb_samples: number[][]
  patches_sha256: string
  patches_shape: number[]
}

const goldens = JSON.parse(
  readFileSync('test/golden/preprocess.json', 'utf8'),
) as readonly GoldenImage[]
const modelConfig = await readPreprocessorConfig('models/kimi-vl-nano')

function configOf(golden: GoldenImage): PreprocessorConfig {
  return {
    ...modelConfig,
    inTokenLimit: golden.config.in_token_limit ?? modelConfig.inTokenLimit,
    padInput: golden.config.pad_input ?? modelConfig.padInput,
  }
}

/** The inverse of patchify: [gh * 14, gw * 14, 3]. */
function rgbOf({ patches, gridHw: [rows, columns] }: PatchImage): Uint8Array {
  const rgb = new Uint8Array(patches.length)
  for (let i = 0; i < rgb.length; i++) {
    const channel = i % 3
    const x = Math.floor(i / 3) % (columns * 14)
    const y = Math.floor(i / 3 / (columns * 14))
    const patch = Math.floor(y / 14) * columns + Math.floor(x / 14)
    rgb[i] = patches[(patch * 3 + channel) * 196 + (y % 14) * 14 + (x % 14)]!
  }
  expect(rgb).toHaveLength(rows * columns * 588)
  return rgb
}

const sha256 = (data: Uint8Array) => createHash('sha256').update(data).digest('hex')

function channelMeans(rgb: Uint8Array): number[] {
  const sums = [0, 0, 0]
  rgb.forEach((value, i) => (sums[i % 3]! += value))
  return sums.map((sum) => sum / (rgb.length / 3))
}

function expectNear(actual: readonly number[], expected: readonly number[], tolerance: number) {
  expected.forEach((value, i) => {
    expect(Math.abs(actual[i]! - value)).toBeLessThanOrEqual(tolerance)
  })
}

/** How far a pixel and a channel's mean may be off: none, Pillow's rounding, another decoder. */
function tolerancesOf(golden: GoldenImage): { level: number; mean: number } {
  if (!golden.lossless) return { level: 8, mean: 1 }
  const resized = golden.size.join() !== golden.resized_size.join()
  return resized ? { level: 1, mean: 0.05 } : { level: 0, mean: 0.0005 }
}

describe('prepareImage() on the golden images', () => {
  const mergeable = goldens.filter(({ grid_hw }) => grid_hw.every((side) => side % 2 === 0))

  it.each(mergeable.map((golden) => [golden.file, JSON.stringify(golden.config), golden] as const))(
    'gives the reference pixels of %s with %s',
    async (file, _, golden) => {
      const config = configOf(golden)
      const [width, height] = golden.size
      const plan = planImage({ width, height }, config)
      expect([plan.resized.width, plan.resized.height]).toEqual(golden.resized_size)

      const image = await prepareImage(readFileSync(`test/golden/images/${file}`), config)
      expect(image.gridHw).toEqual(golden.grid_hw)
      expect([image.gridHw[1] * 14, image.gridHw[0] * 14]).toEqual(golden.padded_size)
      expect((image.gridHw[0] * image.gridHw[1]) / 4).toBe(golden.image_tokens)

      const rgb = rgbOf(image)
      const { level, mean } = tolerancesOf(golden)
      expectNear(channelMeans(rgb), golden.rgb_mean, mean)
      const [rowStep, columnStep] = golden.rgb_samples_step
      const perRow = Math.min(5, Math.ceil((image.gridHw[1] * 14) / columnStep))
      golden.rgb_samples.forEach((sample, i) => {
        const y = Math.floor(i / perRow) * rowStep
        const x = (i % perRow) * columnStep
        const at = (y * image.gridHw[1] * 14 + x) * 3
        expectNear([...rgb.subarray(at, at + 3)], sample, level)
      })
    },
  )

  it.each(mergeable.filter(({ lossless }) => lossless))(
    'gives the very bytes and floats of $file with $config',
    async (golden) => {
      const config = configOf(golden)
      const image = await prepareImage(readFileSync(`test/golden/images/${golden.file}`), config)
      expect(sha256(rgbOf(image))).toBe(golden.rgb_sha256)
      const values = createPatchNormalizer(config)(image.patches)
      expect(values).toHaveLength(golden.patches_shape.reduce((size, side) => size * side, 1))
      expect(sha256(new Uint8Array(values.buffer))).toBe(golden.patches_sha256)
    },
  )

  it.each(goldens.filter((golden) => !mergeable.includes(golden)))(
    'refuses $file cropped to the odd grid $grid_hw, which cannot be merged',
    async (golden) => {
      const file = readFileSync(`test/golden/images/${golden.file}`)
      await expect(prepareImage(file, configOf(golden))).rejects.toMatchObject({
        code: 'unsupported_image',
      })
    },
  )
})

describe('prepareImage() on a strip', () => {
  it.each([
    [14, 7168, [362, 2]],
    [7168, 14, [2, 362]],
  ])('of %i x %i pixels scales it to the limit, and pads it', async (width, height, gridHw) => {
    const strip = await sharp({ create: { width, height, channels: 3, background: 'red' } })
      .png()
      .toBuffer()
    // At 256 patches of 1 x 512: int(14 * sqrt(256 / 512)) = 9, int(7168 * sqrt(256 / 512)) = 5068 = 362 * 14.
    const prepared = await prepareImage(strip, { ...modelConfig, inTokenLimit: 256 })
    expect(prepared.gridHw).toEqual(gridHw)
    const rgb = rgbOf(prepared)
    const across = gridHw[1]! * 14
    const [right, bottom] = [Math.min(across, width < height ? 9 : 5068), height < width ? 9 : 5068]
    const isRed = (at: number) => at % across < right && Math.floor(at / across) < bottom
    const expected = Uint8Array.from(rgb, (_, at) =>
      isRed(Math.floor(at / 3)) && at % 3 === 0 ? 255 : 0,
    )
    expect(sha256(rgb)).toBe(sha256(expected))
  })
})
