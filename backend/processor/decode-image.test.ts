import { readFileSync } from 'node:fs'
import { crc32, deflateSync } from 'node:zlib'
import sharp from 'sharp'
import { describe, expect, it } from 'vitest'
import { decodeImage, readImageHeader } from './decode-image.ts'

const jpeg = readFileSync('test/golden/images/g09.jpg')
const png = readFileSync('test/golden/images/p05.png')

async function decode(file: Uint8Array) {
  return decodeImage(await readImageHeader(file))
}

/** The channels of one pixel. */
async function pixelOf(file: Uint8Array, x = 0, y = 0): Promise<number[]> {
  const { rgb, width } = await decode(file)
  return [...rgb.subarray((y * width + x) * 3, (y * width + x) * 3 + 3)]
}

function pngChunk(type: string, data: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(type), data])
  const chunk = Buffer.alloc(body.length + 8)
  chunk.writeUInt32BE(data.length)
  body.copy(chunk, 4)
  chunk.writeUInt32BE(crc32(body), body.length + 4)
  return chunk
}

/** A valid PNG that claims a size, with hardly any pixels in it. */
function pngOfSize(width: number, height: number): Buffer {
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header.set([8, 2, 0, 0, 0], 8)
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    pngChunk('IHDR', header),
    pngChunk('IDAT', deflateSync(new Uint8Array(100))),
    pngChunk('IEND', new Uint8Array()),
  ])
}

/** Width and height of the picture that is turned about; no two of its pixels are alike. */
const [across, down] = [64, 32]
const pixelAt = (x: number, y: number) => [x * 3, y * 7, 99]

/** EXIF orientation: where the picture's pixel lies that is stored in this row and column. */
const storedPixel: Record<number, (row: number, column: number) => number[]> = {
  1: (row, column) => pixelAt(column, row),
  2: (row, column) => pixelAt(across - 1 - column, row),
  3: (row, column) => pixelAt(across - 1 - column, down - 1 - row),
  4: (row, column) => pixelAt(column, down - 1 - row),
  5: (row, column) => pixelAt(row, column),
  6: (row, column) => pixelAt(across - 1 - row, column),
  7: (row, column) => pixelAt(across - 1 - row, down - 1 - column),
  8: (row, column) => pixelAt(row, down - 1 - column),
}

function storedAs(orientation: number): Promise<Buffer> {
  const [width, height] = orientation > 4 ? [down, across] : [across, down]
  const pixels = Array.from({ length: width * height }, (_, i) =>
    storedPixel[orientation]!(Math.floor(i / width), i % width),
  )
  return sharp(Buffer.from(pixels.flat()), { raw: { width, height, channels: 3 } })
    .withMetadata({ orientation })
    .png()
    .toBuffer()
}

describe('readImageHeader()', () => {
  it('refuses an empty file', async () => {
    await expect(readImageHeader(new Uint8Array())).rejects.toMatchObject({ code: 'empty_image' })
  })

  const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'
  const heic = Buffer.from('\0\0\0\x18ftypheic\0\0\0\0mif1heic', 'latin1')
  it.each([
    ['text', Buffer.from('This is a picture. Really.')],
    ['SVG', Buffer.from(svg)],
    ['SVG behind an XML head', Buffer.from(`<?xml version="1.0"?>${svg}`)],
    ['PDF', Buffer.from('%PDF-1.7\n1 0 obj\n')],
    ['HEIC', heic],
    ['BMP', Buffer.from('BM\x46\0\0\0\0\0\0\0\x36\0\0\0', 'latin1')],
    ['an HTML page', Buffer.from('<!doctype html><title>404</title>')],
    ['one byte', Uint8Array.of(0xff)],
    ['zeros', new Uint8Array(5_000)],
  ])('refuses %s', async (_, file) => {
    await expect(readImageHeader(file)).rejects.toMatchObject({ code: 'unsupported_image' })
  })

  it('refuses too many pixels by the header alone', async () => {
    await expect(readImageHeader(pngOfSize(40_000, 40_000))).rejects.toMatchObject({
      code: 'image_too_large',
      message: '40000 x 40000 pixels are over the limit of 100000000 pixels',
    })
  })

  it.each([
    ['a JPEG signature and nothing else', jpeg.subarray(0, 3)],
    ['a PNG signature and nothing else', png.subarray(0, 8)],
    ['a JPEG signature before text', Buffer.from('\xff\xd8\xff and then lies', 'latin1')],
    ['a GIF without a screen', Buffer.from('GIF89a')],
    ['a WebP without a frame', Buffer.from('RIFF\x04\0\0\0WEBP', 'latin1')],
    ['a TIFF without a directory', Buffer.from('II*\0\xff\xff\xff\x7f', 'latin1')],
    ['an AVIF without boxes', Buffer.from('\0\0\0\x18ftypavif\0\0\0\0mif1miaf', 'latin1')],
  ])('refuses %s, in our own words', async (_, file) => {
    await expect(readImageHeader(file)).rejects.toMatchObject({
      code: 'invalid_image',
      message: 'the file is damaged or incomplete',
    })
  })
})

describe('decodeImage()', () => {
  const picture = () => sharp(png).resize(140, 100)
  it.each([
    ['JPEG', () => picture().jpeg().toBuffer()],
    ['progressive JPEG', () => picture().jpeg({ progressive: true }).toBuffer()],
    ['PNG', () => picture().png().toBuffer()],
    ['WebP', () => picture().webp().toBuffer()],
    ['lossless WebP', () => picture().webp({ lossless: true }).toBuffer()],
    ['GIF', () => picture().gif().toBuffer()],
    ['AVIF', () => picture().avif({ effort: 0 }).toBuffer()],
    ['TIFF', () => picture().tiff({ compression: 'lzw' }).toBuffer()],
  ])('reads a %s, and refuses it cut to half', async (_, encode) => {
    const file = await encode()
    const { width, height, rgb } = await decode(file)
    expect([width, height, rgb.length]).toEqual([140, 100, 140 * 100 * 3])
    await expect(decode(file.subarray(0, file.length / 2))).rejects.toMatchObject({
      code: 'invalid_image',
      message: 'the file is damaged or incomplete',
    })
  })

  it('refuses a file whose pixels are missing', async () => {
    await expect(decode(pngOfSize(64, 64))).rejects.toMatchObject({ code: 'invalid_image' })
  })

  it.each([1, 2, 3, 4, 5, 6, 7, 8])('turns EXIF orientation %i upright', async (orientation) => {
    const file = await storedAs(orientation)
    expect((await sharp(file).metadata()).orientation).toBe(orientation)
    const { width, height, rgb } = await decode(file)
    expect([width, height]).toEqual([across, down])
    const upright = Array.from({ length: across * down }, (_, i) =>
      pixelAt(i % across, Math.floor(i / across)),
    )
    expect(Buffer.from(rgb).equals(Buffer.from(upright.flat()))).toBe(true)
  })

  const oneColour = (channels: 3 | 4, background: object) =>
    sharp({ create: { width: 8, height: 8, channels, background } })

  it('lays transparency on white', async () => {
    const file = await oneColour(4, { r: 200, g: 0, b: 0, alpha: 0 }).png().toBuffer()
    expect(await pixelOf(file)).toEqual([255, 255, 255])
    const half = await oneColour(4, { r: 0, g: 0, b: 0, alpha: 0.5 })
      .webp({ lossless: true })
      .toBuffer()
    for (const value of await pixelOf(half)) expect(Math.abs(value - 127)).toBeLessThanOrEqual(1)
  })

  it('lays the transparent colour of a palette on white', async () => {
    const file = await oneColour(4, { r: 0, g: 99, b: 0, alpha: 0 })
      .png({ palette: true })
      .toBuffer()
    expect(await pixelOf(file)).toEqual([255, 255, 255])
  })

  it('reads the first frame of an animation', async () => {
    const frames = Buffer.alloc(8 * 16 * 3)
    for (let i = 0; i < frames.length; i += 3) frames[i + (i < frames.length / 2 ? 0 : 2)] = 255
    const file = await sharp(frames, {
      raw: { width: 8, height: 16, channels: 3, pageHeight: 8 },
    })
      .gif({ loop: 0, delay: [50, 50] })
      .toBuffer()
    expect((await sharp(file).metadata()).pages).toBe(2)
    const { width, height } = await decode(file)
    expect([width, height]).toEqual([8, 8])
    expect(await pixelOf(file)).toEqual([255, 0, 0])
  })

  it('brings 16 bits, grey and CMYK to 8-bit RGB', async () => {
    const colour = oneColour(3, { r: 250, g: 128, b: 3 })
    const deep = await colour.clone().toColourspace('rgb16').png().toBuffer()
    expect((await sharp(deep).metadata()).depth).toBe('ushort')
    expect(await pixelOf(deep)).toEqual([250, 128, 3])

    const grey = await oneColour(3, { r: 77, g: 77, b: 77 }).toColourspace('b-w').png().toBuffer()
    expect((await sharp(grey).metadata()).channels).toBe(1)
    expect(await pixelOf(grey)).toEqual([77, 77, 77])

    const cmyk = await colour.clone().toColourspace('cmyk').jpeg({ quality: 100 }).toBuffer()
    expect((await sharp(cmyk).metadata()).space).toBe('cmyk')
    const [red, green, blue] = await pixelOf(cmyk)
    expect(red).toBeGreaterThan(200)
    expect(green).toBeGreaterThan(90)
    expect(green).toBeLessThan(170)
    expect(blue).toBeLessThan(90)
  })

  it('ignores a colour profile, as the reference does', async () => {
    const plain = await oneColour(3, { r: 250, g: 128, b: 3 }).png().toBuffer()
    const file = await sharp(plain).withIccProfile('p3', { attach: true }).png().toBuffer()
    const stored = await sharp(file, { ignoreIcc: true }).raw().toBuffer()
    expect(await pixelOf(file)).toEqual([...stored.subarray(0, 3)])
  })

  it('reads a single pixel', async () => {
    expect(
      await decode(await oneColour(3, { r: 255, g: 255, b: 255 }).resize(1, 1).png().toBuffer()),
    ).toMatchObject({
      width: 1,
      height: 1,
    })
  })
})
