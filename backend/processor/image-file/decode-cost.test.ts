import { readFileSync } from 'node:fs'
import sharp, { type Sharp } from 'sharp'
import { describe, expect, it } from 'vitest'
import { hugeWebp } from '../../../test/support/images/huge-images.ts'
import { jpegOfScans } from '../../../test/support/images/jpeg-file.ts'
import { tiffFile } from '../../../test/support/images/tiff-file.ts'
import { estimateDecode } from './decode-cost.ts'

const MB = 1e6

describe('estimateDecode()', () => {
  const picture = sharp(readFileSync('test/golden/images/p05.png')).removeAlpha()
  const pixels = 400 * 300
  const sized = () => picture.clone().resize(400, 300, { fit: 'fill' })
  /** Bytes a pixel, measured at 42 million pixels as the growth of a process while one was decoded. */
  it.each([
    ['JPEG', (image: Sharp) => image.jpeg(), 3.5],
    ['progressive JPEG', (image: Sharp) => image.jpeg({ progressive: true }), 6.3],
    [
      'progressive JPEG with all of its colours',
      (image: Sharp) => image.jpeg({ progressive: true, chromaSubsampling: '4:4:4' }),
      9.4,
    ],
    [
      'progressive JPEG in CMYK',
      (image: Sharp) =>
        image.toColourspace('cmyk').jpeg({ progressive: true, chromaSubsampling: '4:4:4' }),
      11.7,
    ],
    ['PNG', (image: Sharp) => image.png(), 3.5],
    [
      'interlaced PNG of 16 bits',
      (image: Sharp) => image.ensureAlpha().toColourspace('rgb16').png({ progressive: true }),
      11.4,
    ],
    ['WebP', (image: Sharp) => image.webp(), 8.2],
    ['lossless WebP', (image: Sharp) => image.webp({ lossless: true }), 8.1],
    ['WebP with transparency', (image: Sharp) => image.ensureAlpha(0.5).webp(), 8.2],
    ['GIF', (image: Sharp) => image.gif(), 7.3],
    ['TIFF', (image: Sharp) => image.tiff(), 3.5],
    ['AVIF', (image: Sharp) => image.avif({ effort: 0 }), 15.2],
    ['AVIF of 12 bits', (image: Sharp) => image.avif({ effort: 0, bitdepth: 12 }), 24.5],
  ])('allows for what a %s was measured to take', async (_, encode, measured) => {
    const { bytes, ms } = estimateDecode(await encode(sized()).toBuffer())
    expect(bytes).toBeGreaterThanOrEqual(measured * pixels)
    expect(bytes).toBeLessThan((2 * measured + 14) * pixels)
    expect(ms).toBeGreaterThan(0)
  })

  /** Nanoseconds of a core for a pixel of noise, measured at 6 million pixels. */
  it.each([
    ['JPEG', (image: Sharp) => image.jpeg(), 40],
    [
      'progressive JPEG',
      (image: Sharp) => image.jpeg({ progressive: true, chromaSubsampling: '4:4:4' }),
      90,
    ],
    ['PNG', (image: Sharp) => image.png(), 62],
    ['WebP', (image: Sharp) => image.webp(), 119],
    ['GIF', (image: Sharp) => image.gif(), 73],
    ['TIFF', (image: Sharp) => image.tiff({ compression: 'lzw' }), 42],
    ['AVIF', (image: Sharp) => image.avif({ effort: 0 }), 342],
  ])('expects the time that a %s of noise was measured to take', async (_, encode, nanoseconds) => {
    const { ms } = estimateDecode(await encode(sized()).toBuffer())
    const measured = nanoseconds * 1e-6 * pixels
    expect(ms).toBeGreaterThan(measured * 0.95)
    // A small JPEG of several scans may have as many as one that takes 0.14 s.
    expect(ms).toBeLessThan(measured * 1.2 + 140)
  })

  it('goes by the size in the header, not by the file', () => {
    expect(estimateDecode(hugeWebp()).bytes).toBeGreaterThan(1_000 * MB)
    expect(estimateDecode(jpegOfScans({ side: 8_000, emptyScans: 1 })).bytes).toBeGreaterThan(
      500 * MB,
    )
    expect(
      estimateDecode(tiffFile({ pixel: [1, 2, 3], tags: { 256: [9_000], 257: [9_000] } })).bytes,
    ).toBeGreaterThan(500 * MB)
  })

  it.each([
    ['a JPEG', '\xff\xd8\xff\xe0\0\x04ab'],
    ['a PNG', '\x89PNG\r\n\x1a\n'],
    ['a WebP', 'RIFF\0\0\0\0WEBPVP8X'],
    ['a GIF', 'GIF89a\x01\0\x01\0'],
    ['a TIFF', 'II*\0\x08\0\0\0'],
    ['an AVIF', '\0\0\0\x18ftypavif\0\0\0\0mif1miaf'],
  ])('takes what %s does not tell for the most memory, and for no time', (_, head) => {
    const { bytes, ms } = estimateDecode(Buffer.from(head, 'latin1'))
    expect(bytes).toBeGreaterThan(2_000 * MB)
    // Damaged files are refused in a moment: each in a process of its own would be much work.
    expect(ms).toBe(0)
  })

  it('expects the largest picture behind more blocks of a GIF than are looked at', () => {
    const largest = '\x10\x27\x10\x27'
    const msOf = (blocks: number) => {
      const head = `GIF89a${largest}\0\0\0${'!\xfe\x01x\0'.repeat(blocks)},\0\0\0\0${largest}\0`
      return estimateDecode(Buffer.from(head, 'latin1')).ms
    }
    expect(msOf(0)).toBeGreaterThan(7_000)
    expect(msOf(1_000)).toBe(msOf(0))
  })

  it('counts nothing for what will be refused', () => {
    expect(estimateDecode(Buffer.from('no picture')).bytes).toBe(0)
    expect(estimateDecode(hugeWebp(16_383, 16_383)).bytes).toBe(0)
  })
})
