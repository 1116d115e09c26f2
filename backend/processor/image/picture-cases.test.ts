import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { decodeImage, readImageHeader } from './decode-image.ts'
import type { RgbImage } from './resize-bicubic.ts'

/** Pictures of one scene in many containers; what is not in colour is in grey. */
const fileOf = (name: string) => readFileSync(`test/cases/files/${name}`)
const decode = async (file: Uint8Array) => decodeImage(await readImageHeader(file))

const grey = ({ rgb }: RgbImage) =>
  Float64Array.from(
    { length: rgb.length / 3 },
    (_, i) => 0.299 * rgb[3 * i]! + 0.587 * rgb[3 * i + 1]! + 0.114 * rgb[3 * i + 2]!,
  )

function meanDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length)
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += Math.abs(a[i]! - b[i]!)
  return sum / a.length
}

describe('pictures that others have trouble with', () => {
  it.each([
    ['scene.tif', 0],
    ['by_url_bigtiff.tif', 0],
    ['by_url_jpeg.tif', 1],
    // A fourth channel without a meaning is no transparency.
    ['tif_rgb1unspec.tif', 0],
    ['tif_rgb_unspecmask.tif', 0],
    ['tif_rgb2x.tif', 0],
    ['tif_rgb3x.tif', 0],
    // Ink is not light: the profile decides.
    ['tif_cmyk_spot2.tif', 5],
    ['jpg_noeoi.jpg', 1],
    ['jpg_noeoi_prog.jpg', 1],
    ['jpg_restart_noeoi.jpg', 1],
    ['avif_sequence.avif', 1],
  ])('shows %s as what it is', async (name, tolerance) => {
    const [image, scene] = await Promise.all([decode(fileOf(name)), decode(fileOf('scene.png'))])
    expect(meanDifference(image.rgb, scene.rgb)).toBeLessThanOrEqual(tolerance)
  })

  it('shows grey with transparency and a further channel', async () => {
    const [image, scene] = [
      await decode(fileOf('tif_grey2x.tif')),
      await decode(fileOf('scene.png')),
    ]
    expect(meanDifference(grey(image), grey(scene))).toBeLessThan(1)
  })

  it.each([
    ['tif_u32.tif', 'TIFF with 32 bits a sample is not supported'],
    ['tif_grey_u32.tif', 'TIFF with 32 bits a sample is not supported'],
    ['tif_greyfloat.tif', 'TIFF with floating-point samples is not supported'],
    ['tif_float255.tif', 'TIFF with floating-point samples is not supported'],
    ['tif_float64.tif', 'TIFF with floating-point samples is not supported'],
    ['tif_i16.tif', 'TIFF with signed samples is not supported'],
    ['tif_ycbcr_raw.tif', 'TIFF with YCbCr colours but without JPEG is not supported'],
    ['tif_zstd.tif', 'TIFF with Zstandard is not supported'],
    ['tif_lzma.tif', 'TIFF with LZMA is not supported'],
    ['tif_lab.tif', 'TIFF with CIE L*a*b* colours is not supported'],
    ['png_cgbi.png', "PNG in Apple's own form (CgBI) is not supported"],
    ['jpg12.jpg', 'JPEG with 12 bits a sample is not supported'],
    ['jpg_arithmetic_noeoi.jpg', 'arithmetic JPEG without its end marker is not supported'],
    ['avif_premultiplied.avif', 'AVIF with premultiplied transparency is not supported'],
  ])('says why %s is not read', async (name, message) => {
    await expect(readImageHeader(fileOf(name))).rejects.toMatchObject({
      code: 'unsupported_image',
      message,
    })
  })

  it('refuses a JPEG without an end marker that lacks image data, too', async () => {
    await expect(decode(fileOf('jpg_cut100.jpg'))).rejects.toMatchObject({ code: 'invalid_image' })
  })

  it.each([
    ['scan5500_1k.jpg', 'it has more than 200 scans'],
    ['scan4000_2k.jpg', 'its scans pass over it more than 50 times'],
    ['scan900_4k.jpg', 'its scans pass over it more than 16 times'],
  ])('refuses %s before it is decoded', async (name, message) => {
    await expect(readImageHeader(fileOf(name))).rejects.toMatchObject({
      code: 'image_too_large',
      message,
    })
  })
})
