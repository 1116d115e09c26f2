import sharp from 'sharp'
import { describe, expect, it } from 'vitest'
import { jpegOfScans } from '../../../../test/support/images/jpeg-file.ts'
import { tiffFile } from '../../../../test/support/images/tiff-file.ts'
import { decodeImage, readImageHeader } from '../../image/decode-image.ts'
import { readTiff } from './tiff-file.ts'

/** The first pixel, decoded. */
async function pixelOf(file: Uint8Array): Promise<number[]> {
  const { rgb } = await decodeImage(await readImageHeader(file))
  return [...rgb.subarray(0, 3)]
}

const extraSamples = 338

describe('a TIFF', () => {
  it.each([
    ['RGB', [9, 80, 200], {}, [9, 80, 200]],
    ['RGB and a channel without a meaning', [9, 80, 200, 0], { [extraSamples]: [0] }, [9, 80, 200]],
    ['RGB and a channel not spoken of', [9, 80, 200, 0], {}, [9, 80, 200]],
    ['transparency', [9, 80, 200, 0], { [extraSamples]: [2] }, [255, 255, 255]],
    [
      'transparency before another channel',
      [9, 80, 200, 0, 255],
      { [extraSamples]: [2, 0] },
      [255, 255, 255],
    ],
    [
      'transparency behind another channel',
      [9, 80, 200, 0, 255],
      { [extraSamples]: [0, 2] },
      [9, 80, 200],
    ],
    ['transparency multiplied in', [50, 40, 100, 128], { [extraSamples]: [1] }, [177, 167, 227]],
    ['eight more channels', [9, 80, 200, 1, 2, 3, 4, 5, 6, 7, 8], {}, [9, 80, 200]],
    ['grey', [77], { 262: [1] }, [77, 77, 77]],
    ['grey, white at zero', [77], { 262: [0] }, [178, 178, 178]],
    [
      'grey and a channel without a meaning',
      [77, 0],
      { 262: [1], [extraSamples]: [0] },
      [77, 77, 77],
    ],
    ['grey and transparency', [77, 0], { 262: [1], [extraSamples]: [2] }, [255, 255, 255]],
    [
      'grey, transparency and more',
      [77, 0, 9],
      { 262: [1], [extraSamples]: [2, 0] },
      [255, 255, 255],
    ],
    ['samples said to be whole numbers', [9, 80, 200], { 339: [1, 1, 1] }, [9, 80, 200]],
  ])('of %s is read', async (_, pixel, tags, expected) => {
    const rgb = await pixelOf(tiffFile({ pixel, tags }))
    for (const [index, value] of rgb.entries()) {
      expect(Math.abs(value - expected[index]!)).toBeLessThanOrEqual(1)
    }
  })

  const rgb = [9, 80, 200]

  it.each([
    ['orientation', 274, 0],
    ['orientation', 274, 9],
    ['order of bits', 266, 0],
    ['number of planes', 284, 0],
    ['unit', 296, 0],
    ['kind of numbers', 339, 0],
    ['number of rows', 278, 0],
  ])('with an impossible %s is read as without it', async (_, tag, value) => {
    expect(await pixelOf(tiffFile({ pixel: rgb, tags: { [tag]: [value] } }))).toEqual(rgb)
  })

  it('whose second picture is beyond its end is read', async () => {
    const file = tiffFile({ pixel: rgb })
    new DataView(file.buffer, file.byteOffset).setUint32(file.length - 4, 0x7fff_fff0, true)
    expect(await pixelOf(file)).toEqual(rgb)
  })

  it.each([
    ['signed samples', { 339: [2, 2, 2] }, 'signed samples'],
    ['one signed sample among others', { 339: [1, 1, 2] }, 'signed samples'],
    ['samples of unequal bits', { 258: [8, 8, 16] }, 'samples of unequal bits'],
    ['12 bits', { 258: [12, 12, 12] }, '12 bits a sample'],
    ['24 bits', { 258: [24, 24, 24] }, '24 bits a sample'],
    ['4 bits of RGB', { 258: [4, 4, 4] }, '4 bits a sample'],
    ['ICC L*a*b*', { 262: [9] }, 'ICC L*a*b* colours'],
    ['a mask', { 262: [4] }, 'a transparency mask'],
    ['raw sensor data', { 262: [32_803] }, 'raw sensor data'],
    ['colours nobody knows', { 262: [77] }, 'colours of kind 77'],
    ['inks of its own', { 262: [5], 277: [4], 332: [2] }, 'inks other than CMYK'],
    ['fewer samples than colours', { 262: [5], 277: [3] }, '3 samples a pixel for these colours'],
    ['old JPEG', { 259: [6] }, 'old-style JPEG'],
    ['JPEG 2000', { 259: [34_712] }, 'JPEG 2000'],
    ['a compression nobody knows', { 259: [999] }, 'compression 999'],
    ['separate tiles', { 284: [2], 324: [8] }, 'tiles of separate planes'],
    ['huge tiles', { 322: [512], 323: [256] }, 'tiles of 512 x 256 pixels for 8 x 8'],
  ])('of %s is refused by name', async (_, tags, kind) => {
    await expect(readImageHeader(tiffFile({ pixel: rgb, tags }))).rejects.toMatchObject({
      code: 'unsupported_image',
      message: `TIFF with ${kind} is not supported`,
    })
  })

  it('of three grey samples is refused, as they may be colours', async () => {
    const grey = { 262: [1] }
    await expect(readImageHeader(tiffFile({ pixel: rgb, tags: grey }))).rejects.toMatchObject({
      code: 'unsupported_image',
      message: 'TIFF with 3 samples a pixel for these colours is not supported',
    })
    const said = { ...grey, [extraSamples]: [0, 0] }
    expect(await pixelOf(tiffFile({ pixel: [77, 1, 2], tags: said }))).toEqual([77, 77, 77])
  })

  it.each([1, 3, 4])('of %i samples without a meaning is refused', async (samples) => {
    const pixel = rgb.concat(0).slice(0, samples)
    const file = tiffFile({ pixel, tags: { 262: undefined } })
    await expect(readImageHeader(file)).rejects.toMatchObject({
      code: 'unsupported_image',
      message: 'TIFF without PhotometricInterpretation is not supported',
    })
  })

  it('has the pixels of its directory, whatever lies behind', async () => {
    const pages = await sharp(Buffer.alloc(8 * 16 * 3, 9), {
      raw: { width: 8, height: 16, channels: 3, pageHeight: 8 },
    })
      .tiff({ compression: 'none' })
      .toBuffer()
    expect(await decodeImage(await readImageHeader(pages))).toMatchObject({ width: 8 })
  })

  it('may hold a JPEG, but not one of endless scans', () => {
    const tags = { 259: [7], 262: [1] }
    const strip = (emptyScans: number) => jpegOfScans({ side: 64, emptyScans })
    const pixel = [0]
    expect(readTiff(tiffFile({ pixel, side: 64, tags, strip: strip(100) }))).toBeDefined()
    expect(() => readTiff(tiffFile({ pixel, side: 64, tags, strip: strip(300) }))).toThrow(
      expect.objectContaining({ code: 'image_too_large' }),
    )
  })

  it('is damaged when its JPEG breaks off', () => {
    const tags = { 259: [7], 262: [1] }
    const strip = jpegOfScans({ side: 64, emptyScans: 3 })
    const cut = tiffFile({ pixel: [0], side: 64, tags, strip: strip.subarray(0, -2) })
    expect(() => readTiff(cut)).toThrow(expect.objectContaining({ code: 'invalid_image' }))
  })

  it('is damaged when a tile extends beyond its end', async () => {
    const noStrips = { 273: undefined, 278: undefined, 279: undefined }
    const tiled = (offset: number, bytes: number) => {
      const tags = { ...noStrips, 322: [16], 323: [16], 324: [offset], 325: [bytes] }
      return tiffFile({ pixel: rgb, side: 16, tags })
    }
    expect(await pixelOf(tiled(8, 16 * 16 * 3))).toEqual(rgb)
    // Without a position, a tile is empty (as GDAL writes them).
    expect(await pixelOf(tiled(0, 0))).toEqual([0, 0, 0])
    await expect(pixelOf(tiled(8, 10_000))).rejects.toMatchObject({ code: 'invalid_image' })
    await expect(pixelOf(tiled(10_000, 768))).rejects.toMatchObject({ code: 'invalid_image' })
  })

  it('is damaged when a tile cannot be decoded', async () => {
    const noise = Buffer.from(Array.from({ length: 64 * 64 * 3 }, (_, i) => (i * i) % 251))
    const file = await sharp(noise, { raw: { width: 64, height: 64, channels: 3 } })
      .tiff({ compression: 'deflate', tile: true, tileWidth: 16, tileHeight: 16 })
      .toBuffer()
    expect(await pixelOf(file)).toEqual([...noise.subarray(0, 3)])
    // The first tile follows the header.
    const broken = Buffer.from(file).fill(0xff, 40, 80)
    await expect(pixelOf(broken)).rejects.toMatchObject({ code: 'invalid_image' })
  })

  it.each([
    ['no', undefined],
    ['too few', 767],
  ])('is damaged with %s colours in its palette', (_, count) => {
    const colourMap = count === undefined ? undefined : Array.from({ length: count }, () => 257)
    const file = tiffFile({ pixel: [1], tags: { 262: [3], 320: colourMap } })
    expect(() => readTiff(file)).toThrow(expect.objectContaining({ code: 'invalid_image' }))
  })

  it('is looked at once, however many strips lie in one place', () => {
    const strip = jpegOfScans({ side: 64, emptyScans: 190 })
    const file = tiffFile({
      pixel: [0],
      side: 60_000,
      tags: { 259: [7], 262: [1] },
      strip,
      strips: 60_000,
    })
    expect(readTiff(file)).toBeDefined()
  })

  it('whose directory lies elsewhere is for the decoder to judge', () => {
    const file = tiffFile({ pixel: rgb })
    for (const length of [4, 8, 15, file.length - 10]) {
      expect(readTiff(file.subarray(0, length))).toMatchObject({ type: 'tiff' })
    }
  })
})
