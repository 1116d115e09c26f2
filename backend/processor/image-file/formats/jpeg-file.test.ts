import { readFileSync } from 'node:fs'
import sharp, { type JpegOptions } from 'sharp'
import { describe, expect, it } from 'vitest'
import { jpegOfScans } from '../../../../test/support/images/jpeg-file.ts'
import { decodeImage, readImageHeader } from '../../image/decode-image.ts'
import { readJpeg, readJpegHead } from './jpeg-file.ts'

const photo = readFileSync('test/golden/images/g09.jpg')
const tooLarge = { code: 'image_too_large' }
const damaged = { code: 'invalid_image', message: 'the file is damaged or incomplete' }
const decode = async (file: Uint8Array) => decodeImage(await readImageHeader(file))

describe('readJpeg()', () => {
  it.each([
    ['end to end', []],
    ['with restart markers between', [0xff, 0xd0, 0xff, 0xd5]],
    ['with fill bytes', [0xff, 0xff, 0xff]],
    ['with stray bytes', [1, 2, 0xff, 0, 3]],
    ['behind markers that stand alone', [0xff, 0x01, 0xff, 0x02]],
    ['behind comments', [0xff, 0xfe, 0, 4, 65, 66]],
    ['behind comments that look like an end', [0xff, 0xfe, 0, 4, 0xff, 0xd9]],
    ['behind tables', [0xff, 0xdd, 0, 4, 0, 0]],
  ])('counts empty scans %s', (_, between) => {
    expect(readJpeg(jpegOfScans({ side: 64, emptyScans: 150, between }))).toBeDefined()
    expect(() => readJpeg(jpegOfScans({ side: 64, emptyScans: 250, between }))).toThrow(
      expect.objectContaining({ ...tooLarge, message: 'it has more than 200 scans' }),
    )
  })

  it('weighs scans by the samples they pass over', () => {
    expect(() => readJpeg(jpegOfScans({ side: 10_000, emptyScans: 30 }))).toThrow(
      expect.objectContaining({
        ...tooLarge,
        message: 'its scans pass over it more than 16 times',
      }),
    )
    expect(readJpeg(jpegOfScans({ side: 10_000, emptyScans: 14 }))).toBeDefined()
    expect(readJpeg(jpegOfScans({ side: 1_000, emptyScans: 150 }))).toBeDefined()
  })

  it.each([
    [65_535, 1, 'a side of 65535 pixels is over the limit of 65500 for JPEG'],
    [1, 65_501, 'a side of 65501 pixels is over the limit of 65500 for JPEG'],
    [65_535, 65_535, '65535 x 65535 pixels are over the limit of 100000000 pixels'],
  ])('refuses %i x %i pixels for their number', async (width, height, message) => {
    const file = Buffer.from(photo)
    const frame = file.indexOf(Buffer.of(0xff, 0xc0))
    file.writeUInt16BE(height, frame + 5)
    file.writeUInt16BE(width, frame + 7)
    await expect(readImageHeader(file)).rejects.toMatchObject({ ...tooLarge, message })
  })

  it('does not read behind the end', () => {
    const file = Buffer.concat([photo, jpegOfScans({ side: 64, emptyScans: 300 }).subarray(2)])
    expect(readJpeg(file).bytes).toBe(file)
  })

  it('takes one pass, however many markers there are', () => {
    const file = new Uint8Array(20 * 2 ** 20)
    for (let at = 0; at < file.length; at += 2) file.set([0xff, 0xd0], at)
    file.set(photo.subarray(0, 200))
    const started = performance.now()
    expect(readJpegHead(file)).toBeUndefined()
    expect(() => readJpeg(file)).toThrow(expect.objectContaining(damaged))
    // A second pass for each marker would be hours.
    expect(performance.now() - started).toBeLessThan(20_000)
  })

  it('reads pictures of every usual script of scans', async () => {
    for (const options of [{ progressive: true }, { mozjpeg: true }, { progressive: false }]) {
      const file = await sharp(photo).jpeg(options).toBuffer()
      expect(await decode(file)).toMatchObject({ width: expect.any(Number) as number })
    }
  })
})

describe('a JPEG without its end marker', () => {
  const encode = (options: JpegOptions, space = 'srgb') =>
    sharp(photo).toColourspace(space).jpeg(options).toBuffer()
  const kinds = [
    ['baseline', () => encode({ chromaSubsampling: '4:2:0' })],
    ['baseline with all of its colours', () => encode({ chromaSubsampling: '4:4:4' })],
    ['grey', () => encode({}, 'b-w')],
    ['CMYK', () => encode({}, 'cmyk')],
    ['progressive', () => encode({ progressive: true })],
    ['with optimised scans', () => encode({ mozjpeg: true })],
  ] as const

  it.each(kinds)('is decoded when all else is there: %s', async (_, make) => {
    const file = await make()
    const { rgb } = await decode(file)
    const cut = [1, 2].map((missing) => file.subarray(0, file.length - missing))
    const filled = Buffer.concat([file.subarray(0, -2), Buffer.alloc(50, 0xff)])
    for (const other of [...cut, filled]) {
      expect(Buffer.compare((await decode(other)).rgb, rgb)).toBe(0)
    }
  })

  it.each(kinds)('is refused wherever else it breaks off: %s', async (_, make) => {
    const file = await make()
    const lengths = Array.from({ length: 19 }, (_item, tenths) =>
      Math.floor((file.length * (tenths + 1)) / 20),
    )
    for (const length of [...lengths, file.length - 30]) {
      await expect(decode(file.subarray(0, length))).rejects.toMatchObject(damaged)
    }
  })

  it('is refused when it breaks off between scans', async () => {
    const file = await encode({ progressive: true })
    const scans = [...file.keys()].filter((at) => file[at] === 0xff && file[at + 1] === 0xda)
    expect(scans.length).toBeGreaterThan(5)
    for (const scan of scans.slice(1)) {
      await expect(decode(file.subarray(0, scan))).rejects.toMatchObject(damaged)
    }
  })
})
