import { readFileSync } from 'node:fs'
import { crc32, deflateSync } from 'node:zlib'
import sharp, { type Sharp } from 'sharp'
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

/** Numbers of 32 bits, big-endian, and what follows them. */
function numbers(values: readonly number[], rest: Uint8Array = new Uint8Array()): Buffer {
  const bytes = Buffer.alloc(4 * values.length)
  for (const [index, value] of values.entries()) bytes.writeUInt32BE(value, 4 * index)
  return Buffer.concat([bytes, rest])
}

interface GifOptions {
  readonly screen: readonly [width: number, height: number]
  readonly frame: readonly [left: number, top: number, width: number, height: number]
  readonly comments?: number
  readonly frames?: number
  readonly ownColours?: boolean
}

/** A GIF without transparency whose frames are of one colour, the second of its table; uncompressed LZW. */
function gifFile({
  screen,
  frame,
  comments = 0,
  frames = 1,
  ownColours = false,
}: GifOptions): Buffer {
  const words = (...values: number[]) => values.flatMap((value) => [value & 255, value >> 8])
  const colours = [0, 0, 0, 200, 30, 10, 0, 0, 0, 0, 0, 0]
  const [, , width, height] = frame
  // Codes of 3 bits: a clear code before each pixel keeps them that short.
  const codes = [...Array.from({ length: width * height }, () => [4, 1]).flat(), 5]
  const bits = codes.map((code) =>
    code.toString(2).padStart(3, '0').split('').toReversed().join(''),
  )
  const data = (bits.join('') + '0000000')
    .match(/.{8}/g)!
    .map((byte) => Number.parseInt(byte.split('').toReversed().join(''), 2))
  const image = [
    0x2c,
    ...words(...frame),
    ownColours ? 0x81 : 0,
    ...(ownColours ? colours : []),
    2,
    data.length,
    ...data,
    0,
  ]
  const repeat = (count: number, bytes: readonly number[]) =>
    Array.from({ length: count }, () => bytes).flat()
  return Buffer.from([
    ...Buffer.from('GIF89a'),
    ...words(...screen),
    ownColours ? 0 : 0x81,
    0,
    0,
    ...(ownColours ? [] : colours),
    ...repeat(comments, [0x21, 0xfe, 3, 0x2c, 0x2c, 0x2c, 2, 1, 1, 0]),
    ...repeat(frames, image),
    0x3b,
  ])
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
    ['ICO', Buffer.from('\0\0\x01\0\x01\0\x10\x10\0\0\x01\0\x20\0', 'latin1')],
    ['TGA', Buffer.from('\0\0\x02\0\0\0\0\0\0\0\0\0\x08\0\x08\0\x18\0', 'latin1')],
    ['JPEG XL', Buffer.from('\xff\x0a\xfa\x7f\x01\x90', 'latin1')],
    ['JPEG XL in boxes', Buffer.from('\0\0\0\x0cJXL \r\n\x87\n', 'latin1')],
    ['JPEG 2000', Buffer.from('\0\0\0\x0cjP  \r\n\x87\n', 'latin1')],
    [
      'SVG with an entity',
      Buffer.from(`<!DOCTYPE svg [<!ENTITY a SYSTEM "file:///etc/passwd">]>${svg}`),
    ],
    ['an HTML page', Buffer.from('<!doctype html><title>404</title>')],
    ['one byte', Uint8Array.of(0xff)],
    ['zeros', new Uint8Array(5_000)],
  ])('refuses %s', async (_, file) => {
    await expect(readImageHeader(file)).rejects.toMatchObject({ code: 'unsupported_image' })
  })

  it.each([40_000, 2 ** 31 - 1])(
    'refuses too many pixels by the header alone: %i',
    async (side) => {
      await expect(readImageHeader(pngOfSize(side, side))).rejects.toMatchObject({
        code: 'image_too_large',
        message: `${side} x ${side} pixels are over the limit of 100000000 pixels`,
      })
    },
  )

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

describe('a PNG with a critical chunk of an extension', () => {
  const withChunk = (at: number, chunk: Buffer) =>
    Buffer.concat([png.subarray(0, at), chunk, png.subarray(at)])
  const [start, afterHeader] = [8, 33]

  it.each([
    ['CgBI, first', start, 'CgBI', "PNG in Apple's own form (CgBI) is not supported"],
    [
      'CgBI after its header',
      afterHeader,
      'CgBI',
      "PNG in Apple's own form (CgBI) is not supported",
    ],
    ['another one', afterHeader, 'XtRA', 'PNG with the critical chunk XtRA is not supported'],
  ])('is refused by its name: %s', async (_, at, type, message) => {
    const file = withChunk(at, pngChunk(type, Buffer.of(0x50, 0, 0x20, 2)))
    await expect(readImageHeader(file)).rejects.toMatchObject({
      code: 'unsupported_image',
      message,
    })
  })

  it('is damaged when the checksum of that chunk is wrong', async () => {
    const chunk = pngChunk('XtRA', Buffer.of(1))
    chunk[chunk.length - 1]! ^= 1
    await expect(readImageHeader(withChunk(afterHeader, chunk))).rejects.toMatchObject({
      code: 'invalid_image',
    })
  })

  it('is read when that chunk follows the pixels', async () => {
    const { rgb } = await decode(withChunk(png.length - 12, pngChunk('XtRA', Buffer.of(1))))
    expect(Buffer.from(rgb).equals(Buffer.from((await decode(png)).rgb))).toBe(true)
  })
})

describe('a PNG with an optional chunk of a reserved name', () => {
  const withChunks = (...chunks: readonly Buffer[]) =>
    Buffer.concat([png.subarray(0, 33), ...chunks, png.subarray(33)])

  it('is read as without it', async () => {
    const file = withChunks(
      pngChunk('abcd', Buffer.of(1, 2)),
      pngChunk('teXt', Buffer.of(3)),
      pngChunk('aBcD', Buffer.alloc(0)),
    )
    const { rgb } = await decode(file)
    expect(Buffer.from(rgb).equals(Buffer.from((await decode(png)).rgb))).toBe(true)
  })

  it('is damaged when the checksum of that chunk is wrong', async () => {
    const chunk = pngChunk('abcd', Buffer.of(1))
    chunk[chunk.length - 1]! ^= 1
    await expect(readImageHeader(withChunks(chunk))).rejects.toMatchObject({
      code: 'invalid_image',
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

  it('turns a PNG whose EXIF comes behind its pixels', async () => {
    const file = await storedAs(6)
    const at = file.indexOf('eXIf') - 4
    const end = at + 12 + file.readUInt32BE(at)
    const behind = Buffer.concat([
      file.subarray(0, at),
      file.subarray(end, -12),
      file.subarray(at, end),
      file.subarray(-12),
    ])
    expect((await decode(behind)).rgb).toEqual((await decode(file)).rgb)
    expect(await decode(behind)).toMatchObject({ width: across, height: down })
  })

  describe('a PNG whose EXIF is text, as older programs keep it', () => {
    const textOf = (exif: Buffer) =>
      `\nexif\n    ${exif.length}\n${exif.toString('hex').replaceAll(/.{72}/g, '$&\n')}\n`
    /** @returns the picture with a text chunk in the place of its EXIF, and that EXIF */
    const withText = async (chunk: (exif: Buffer) => Buffer) => {
      const file = await storedAs(6)
      const at = file.indexOf('eXIf') - 4
      const end = at + 12 + file.readUInt32BE(at)
      const replaced = chunk(file.subarray(at + 8, end - 4))
      return Buffer.concat([file.subarray(0, at), replaced, file.subarray(end)])
    }
    const keyword = Buffer.from('Raw profile type exif\0')
    const compressed = (text: string) =>
      pngChunk('zTXt', Buffer.concat([keyword, Buffer.of(0), deflateSync(text)]))
    const plain = (text: string) => pngChunk('tEXt', Buffer.concat([keyword, Buffer.from(text)]))
    const likeJpeg = (exif: Buffer) => Buffer.concat([Buffer.from('Exif\0\0'), exif])

    it.each([
      ['compressed', (exif: Buffer) => compressed(textOf(exif))],
      ['compressed, with the prefix of JPEG', (exif: Buffer) => compressed(textOf(likeJpeg(exif)))],
      ['plain', (exif: Buffer) => plain(textOf(exif))],
    ])('is turned: %s', async (_how, chunk) => {
      const turned = await decode(await withText(chunk))
      expect(turned).toMatchObject({ width: across, height: down })
      expect(turned.rgb).toEqual((await decode(await storedAs(6))).rgb)
    })

    it('is left as it lies when the first such text is broken, so that only one is expanded', async () => {
      const file = await withText((exif) =>
        Buffer.concat([compressed('\nexif\n 4\nzzzz\n'), compressed(textOf(exif))]),
      )
      expect(await decode(file)).toMatchObject({ width: down, height: across })
    })

    it.each([
      ['no hexadecimal digits', () => compressed('\nexif\n 4\nzzzzzzzz\n')],
      ['another length', (exif: Buffer) => compressed(textOf(exif).replace(/\d+/, '7'))],
      ['an endless text', () => compressed(`\nexif\n 4\n${'0'.repeat(60e6)}`)],
      [
        'broken compression',
        () => pngChunk('zTXt', Buffer.concat([keyword, Buffer.from('\0abc')])),
      ],
      ['nothing', () => compressed('')],
    ])('is left as it lies when the text is broken: %s', async (_how, chunk) => {
      expect(await decode(await withText(chunk))).toMatchObject({ width: down, height: across })
    })
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

  it.each([
    ['GIF', (image: Sharp) => image.gif({ loop: 0, delay: [50, 50] })],
    ['WebP', (image: Sharp) => image.webp({ lossless: true, delay: [50, 50] })],
  ])('reads the first frame of an animation: %s', async (_, encode) => {
    const frames = Buffer.alloc(8 * 16 * 3)
    for (let i = 0; i < frames.length; i += 3) frames[i + (i < frames.length / 2 ? 0 : 2)] = 255
    const raw = { width: 8, height: 16, channels: 3, pageHeight: 8 } as const
    const file = await encode(sharp(frames, { raw })).toBuffer()
    expect((await sharp(file).metadata()).pages).toBe(2)
    const { width, height } = await decode(file)
    expect([width, height]).toEqual([8, 8])
    expect(await pixelOf(file)).toEqual([255, 0, 0])
  })

  it('reads the still picture of an animated PNG', async () => {
    const { rgb } = await decode(png)
    const animation = pngChunk('acTL', numbers([1, 0]))
    // A frame of one pixel, after the still picture.
    const frame = [
      pngChunk('fcTL', numbers([0, 1, 1, 0, 0], Buffer.of(0, 1, 0, 10, 0, 0))),
      pngChunk('fdAT', numbers([1], deflateSync(Buffer.of(0, 255, 0, 0)))),
    ]
    const file = Buffer.concat([
      png.subarray(0, 33),
      animation,
      png.subarray(33, -12),
      ...frame,
      png.subarray(-12),
    ])
    expect(Buffer.from((await decode(file)).rgb).equals(Buffer.from(rgb))).toBe(true)
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

  describe('a GIF whose first frame is smaller than its screen', () => {
    const corners = [
      [0, 0],
      [15, 0],
      [0, 11],
      [15, 11],
    ] as const
    it.each([
      ['alone', {}],
      ['behind comments', { comments: 3 }],
      ['before another frame', { frames: 2 }],
      ['with colours of its own', { ownColours: true }],
    ])('is white around it, %s', async (_, options) => {
      const file = gifFile({ screen: [16, 12], frame: [5, 4, 6, 3], ...options })
      for (const [x, y] of corners) expect(await pixelOf(file, x, y)).toEqual([255, 255, 255])
      expect(await pixelOf(file, 5, 4)).toEqual([200, 30, 10])
      expect(await pixelOf(file, 10, 6)).toEqual([200, 30, 10])
      expect(await pixelOf(file, 11, 6)).toEqual([255, 255, 255])
      expect(await pixelOf(file, 10, 7)).toEqual([255, 255, 255])
    })

    it('keeps every pixel of a frame that fills the screen', async () => {
      const file = gifFile({ screen: [6, 3], frame: [0, 0, 6, 3] })
      const { rgb } = await decode(file)
      expect(new Set(rgb)).toEqual(new Set([200, 30, 10]))
    })
  })

  // As Pillow 12.3 and Chromium show them.
  it.each([
    ['reaches beyond its screen', [8, 6], [4, 2, 6, 3], [10, 6]],
    ['is wider than its screen', [8, 6], [0, 0, 12, 3], [12, 6]],
    ['is larger than its screen', [8, 6], [3, 2, 12, 9], [15, 11]],
    ['lies outside of its screen', [8, 6], [10, 8, 3, 3], [13, 11]],
    ['has no screen', [0, 0], [3, 2, 12, 9], [15, 11]],
    ['has a screen of a common size', [640, 480], [100, 50, 12, 9], [640, 480]],
    ['has a very wide screen', [2049, 10], [3, 4, 12, 5], [2049, 10]],
  ] as const)('shows all of a GIF that %s', async (_, screen, frame, [width, height]) => {
    const image = await decode(gifFile({ screen, frame }))
    expect([image.width, image.height]).toEqual([width, height])
    const [left, top, frameWidth, frameHeight] = frame
    const isInFrame = (x: number, y: number) =>
      x >= left && x < left + frameWidth && y >= top && y < top + frameHeight
    const expected = Array.from({ length: width * height }, (_pixel, i) =>
      isInFrame(i % width, Math.floor(i / width)) ? [200, 30, 10] : [255, 255, 255],
    )
    expect(Buffer.from(image.rgb).equals(Buffer.from(expected.flat()))).toBe(true)
  })

  it.each([
    ['GIF', (image: Sharp) => image.gif({ loop: 0 })],
    ['WebP', (image: Sharp) => image.webp({ lossless: true })],
    ['TIFF', (image: Sharp) => image.tiff({ compression: 'lzw' })],
  ])('reads the first of 1,000 frames of a %s', async (_, encode) => {
    const frames = Buffer.alloc(4 * 4_000 * 3)
    frames.fill(250, 0, 48)
    for (let at = 48; at < frames.length; at++) frames[at] = Math.floor(at / 48) % 200
    const raw = { width: 4, height: 4_000, channels: 3, pageHeight: 4 } as const
    const { width, height, rgb } = await decode(await encode(sharp(frames, { raw })).toBuffer())
    expect([width, height]).toEqual([4, 4])
    for (const value of rgb) expect(value).toBeGreaterThan(240)
  })

  it('reads the first of 1,000 frames of an animated PNG', async () => {
    const side = 4
    const [first, later] = await Promise.all([
      oneColour(3, { r: 9, g: 8, b: 7 }).resize(side, side).png().toBuffer(),
      oneColour(3, { r: 250, g: 0, b: 0 }).resize(side, side).png().toBuffer(),
    ])
    const dataOf = (file: Buffer) => {
      const at = file.indexOf('IDAT')
      return file.subarray(at + 4, at + 4 + file.readUInt32BE(at - 4))
    }
    // Sequence number, size, place and duration; see the PNG specification, 11.3.6.
    const control = (sequence: number) =>
      pngChunk('fcTL', numbers([sequence, side, side, 0, 0], Buffer.of(0, 1, 0, 10, 0, 0)))
    const frames = Array.from({ length: 999 }, (_, index) => [
      control(2 * index + 1),
      pngChunk('fdAT', numbers([2 * index + 2], dataOf(later))),
    ])
    const head = first.subarray(0, 33)
    const file = Buffer.concat([
      head,
      pngChunk('acTL', numbers([1_000, 0])),
      control(0),
      first.subarray(33, -12),
      ...frames.flat(),
      first.subarray(-12),
    ])
    const { width, height, rgb } = await decode(file)
    expect([width, height]).toEqual([side, side])
    expect(Array.from(rgb.subarray(0, 3))).toEqual([9, 8, 7])
  })

  it.each([
    [1, 1],
    [1, 7_000],
    [7_000, 1],
    [3, 7_000],
    [7_000, 14],
  ])('reads %i x %i pixels', async (width, height) => {
    const file = await oneColour(3, { r: 1, g: 2, b: 3 })
      .resize(width, height, { fit: 'fill' })
      .png()
      .toBuffer()
    expect(await decode(file)).toMatchObject({ width, height })
  })

  it.each([
    ['iTXt', Buffer.concat([Buffer.from('note\0\0\0\0\0'), Buffer.alloc(8e6, 'x')])],
    ['zTXt', Buffer.concat([Buffer.from('note\0\0'), deflateSync(Buffer.alloc(60e6, 'x'))])],
    ['iCCP', Buffer.concat([Buffer.from('icc\0\0'), deflateSync(Buffer.alloc(60e6, 'x'))])],
    ['eXIf', Buffer.alloc(8e6, 'x')],
  ])('is not troubled by a %s chunk of many megabytes', async (type, content) => {
    const plain = await oneColour(3, { r: 9, g: 8, b: 7 }).png().toBuffer()
    const file = Buffer.concat([plain.subarray(0, 33), pngChunk(type, content), plain.subarray(33)])
    expect(await pixelOf(file)).toEqual([9, 8, 7])
  })
})
