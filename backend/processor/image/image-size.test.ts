import { describe, expect, it } from 'vitest'
import { mostImageTokens, planImage } from './image-size.ts'

const config = { inTokenLimit: 4096, patchSize: 14, mergeSize: 2, padInput: true }

describe('planImage()', () => {
  it.each([
    ['keeps', 224, 224, [224, 224], [16, 16]],
    ['pads', 640, 480, [640, 480], [36, 46]],
    ['shrinks and pads', 1920, 1080, [1196, 672], [48, 86]],
    ['shrinks and pads', 4000, 3000, [1036, 777], [56, 74]],
    ['pads', 30, 30, [30, 30], [4, 4]],
    ['pads', 1, 1, [1, 1], [2, 2]],
    ['keeps', 196, 196, [196, 196], [14, 14]],
    ['keeps', 896, 896, [896, 896], [64, 64]],
    ['does not shrink, exactly at the limit,', 897, 897, [897, 897], [66, 66]],
    ['shrinks', 1024, 1024, [897, 897], [66, 66]],
    ['shrinks', 1792, 1792, [896, 896], [64, 64]],
  ])('%s %i x %i pixels', (_, width, height, resized, gridHw) => {
    const plan = planImage({ width, height }, config)
    expect([plan.resized.width, plan.resized.height]).toEqual(resized)
    expect(plan.gridHw).toEqual(gridHw)
  })

  it.each([
    [1920, 1080, [1920, 1080], [78, 138]],
    [4000, 3000, [2073, 1554], [112, 150]],
    [1792, 1792, [1792, 1792], [128, 128]],
  ])(
    'obeys the larger token limit of another model for %i x %i',
    (width, height, resized, gridHw) => {
      const plan = planImage({ width, height }, { ...config, inTokenLimit: 16_384 })
      expect([plan.resized.width, plan.resized.height]).toEqual(resized)
      expect(plan.gridHw).toEqual(gridHw)
    },
  )

  it('allows the longest side the position tables hold', () => {
    expect(planImage({ width: 7140, height: 20 }, config).gridHw).toEqual([2, 510])
  })

  it.each([
    [7141, 20],
    // 512 patches: the reference's own code fails.
    [14, 7168],
    [7168, 14],
    [20, 8000],
    [14, 1_000_000],
    [50_000_000, 2],
  ])('refuses %i x %i pixels with the limit and the value', (width, height) => {
    expect(() => planImage({ width, height }, config)).toThrow(
      expect.objectContaining({
        code: 'image_too_large',
        message: expect.stringMatching(/\d+ x \d+ pixels, \d+.* over the limit of 7140/) as string,
      }),
    )
  })

  it('crops around the centre when the model does not pad', () => {
    const crop = { ...config, padInput: false }
    expect(planImage({ width: 61, height: 87 }, crop)).toEqual({
      resized: { width: 61, height: 87 },
      left: 2,
      top: 2,
      gridHw: [6, 4],
    })
  })

  it.each([
    [42, 56],
    [10, 56],
  ])('refuses a crop of %i x %i pixels to patches that cannot be merged', (width, height) => {
    expect(() => planImage({ width, height }, { ...config, padInput: false })).toThrow(
      expect.objectContaining({ code: 'unsupported_image' }),
    )
  })

  it.each([
    [4_096, 1_338],
    [16_384, 4_464],
  ])('makes of an image, at a limit of %i patches, up to %i tokens', (inTokenLimit, most) => {
    // Trying all sizes up to 2,200 x 16,000 once found no more.
    expect(mostImageTokens({ ...config, inTokenLimit })).toBe(most)
    expect(worstOf({ ...config, inTokenLimit })).toBe(most)
  })
})

/** The most tokens of images that are planned, whose remainders are those that rounding makes the most of. */
function worstOf(rules: Parameters<typeof planImage>[1]): number {
  let worst = 0
  for (let rows = 1; rows < 512; rows += 1) {
    for (let columns = 1; columns < 512; columns += 1) {
      const [high, across] = gridOf({ width: 14 * columns + 13, height: 14 * rows + 13 }, rules)
      worst = Math.max(worst, (high * across) / 4)
    }
  }
  return worst
}

/** Patches; none for an image that is refused. */
function gridOf(...[size, rules]: Parameters<typeof planImage>): readonly [number, number] {
  try {
    return planImage(size, rules).gridHw
  } catch {
    return [0, 0]
  }
}
