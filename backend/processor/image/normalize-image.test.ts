import { readdirSync, readFileSync } from 'node:fs'
import sharp from 'sharp'
import { describe, expect, it } from 'vitest'
import { readPreprocessorConfig } from '../../model/config/preprocessor-config.ts'
import { normalizeImage } from './normalize-image.ts'
import { prepareImage } from './prepare-image.ts'

const folder = 'test/golden/images'
const config = await readPreprocessorConfig('models/kimi-vl-nano')
const files = readdirSync(folder).filter((name) => /\.(png|jpe?g|webp|gif|avif|tiff?)$/.test(name))

describe('normalizeImage()', () => {
  it.each(files)('makes a file of %s that gives the same patches', async (name) => {
    const file = readFileSync(`${folder}/${name}`)
    const expected = await prepareImage(file, config)
    const { png, tokens } = await normalizeImage(file, config)
    expect(await prepareImage(png, config)).toEqual(expected)
    expect(tokens).toBe((expected.gridHw[0] * expected.gridHw[1]) / config.mergeSize ** 2)
  })

  it('keeps to the tokens that an image in low detail may take', async () => {
    const wide = await sharp({
      create: { width: 900, height: 500, channels: 3, background: '#c04020' },
    })
      .png()
      .toBuffer()
    const { png, tokens } = await normalizeImage(wide, config, 4)
    expect(tokens).toBe(
      (await prepareImage(wide, config, 4)).patches.length /
        (3 * (config.patchSize * config.mergeSize) ** 2),
    )
    const { width, height } = await sharp(png).metadata()
    expect(width * height).toBeLessThan(900 * 500)
  })

  it('removes metadata and turns the picture upright', async () => {
    const sideways = await sharp({
      create: { width: 40, height: 20, channels: 3, background: '#204080' },
    })
      .withExif({ IFD0: { Copyright: 'somebody' } })
      .withMetadata({ orientation: 6 })
      .jpeg()
      .toBuffer()
    const { png } = await normalizeImage(sideways, config)
    const { width, height, exif, orientation } = await sharp(png).metadata()
    expect([width, height, exif, orientation]).toEqual([20, 40, undefined, undefined])
  })

  it('refuses what is no image', async () => {
    await expect(normalizeImage(Uint8Array.of(1, 2, 3), config)).rejects.toMatchObject({
      code: 'unsupported_image',
    })
  })
})
