import sharp from 'sharp'
import { maxImagePixels } from '../../shared/api/limits.ts'
import { ImageProblem } from './image-problem.ts'
import type { Size } from './image-size.ts'
import { imageType } from './image-type.ts'
import type { RgbImage } from './resize-bicubic.ts'

/** What the header of an image file says; its pixels have not been looked at. */
export interface ImageHeader {
  /** As seen upright: the EXIF orientation is counted in. */
  readonly size: Size
  readonly colours: 'cmyk' | 'other'
}

/** A file that breaks off or holds damaged data is refused; mere warnings, common in camera files, are not. */
const readOptions = {
  failOn: 'error',
  // Checked against our own ceiling, with our own message, before anything is decoded.
  limitInputPixels: false,
  sequentialRead: true,
} as const

/**
 * Reads kind and size of an image file: JPEG, PNG, WebP, GIF (first frame), AVIF or TIFF.
 * @throws {ImageProblem} `empty_image`, `unsupported_image`, `invalid_image`, or `image_too_large` over the ceiling
 */
export async function readImageHeader(file: Uint8Array): Promise<ImageHeader> {
  if (file.length === 0) throw new ImageProblem('empty_image', 'the file is empty')
  const type = imageType(file)
  if (type === undefined) throw unsupported()
  const header = await orInvalid(sharp(file, readOptions).metadata())
  if (header.format !== type) throw unsupported()
  const size = header.autoOrient
  if (size.width * size.height > maxImagePixels) {
    throw new ImageProblem(
      'image_too_large',
      `${size.width} x ${size.height} pixels are over the limit of ${maxImagePixels} pixels`,
    )
  }
  return { size, colours: header.space === 'cmyk' ? 'cmyk' : 'other' }
}

/**
 * Decodes to upright 8-bit RGB, transparency laid on white. Colour profiles are ignored, as the reference does,
 * except for CMYK, which means nothing without one.
 * @throws {ImageProblem} `invalid_image` when the data is damaged or breaks off
 */
export async function decodeImage(file: Uint8Array, header: ImageHeader): Promise<RgbImage> {
  const { data, info } = await orInvalid(
    sharp(file, { ...readOptions, ignoreIcc: header.colours !== 'cmyk' })
      .autoOrient()
      .flatten({ background: 'white' })
      .toColourspace('srgb')
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true }),
  )
  const { width, height } = header.size
  if (info.width !== width || info.height !== height) throw invalid()
  if (info.channels !== 3) throw new TypeError(`Expected 3 channels, got ${info.channels}`)
  return { width, height, rgb: data }
}

/** Decoders describe what they met in their own words; a client gets ours. */
async function orInvalid<Result>(result: Promise<Result>): Promise<Result> {
  try {
    return await result
  } catch (cause) {
    throw invalid(cause)
  }
}

function invalid(cause?: unknown): ImageProblem {
  return new ImageProblem('invalid_image', 'the file is damaged or incomplete', { cause })
}

function unsupported(): ImageProblem {
  return new ImageProblem(
    'unsupported_image',
    'the file is not a JPEG, PNG, WebP, GIF, AVIF or TIFF image',
  )
}
