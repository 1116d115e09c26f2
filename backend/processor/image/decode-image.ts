import sharp, { type Sharp } from 'sharp'
import { damaged } from './image-problem.ts'
import type { ImageReading } from '../image-file/image-reading.ts'
import { notAnImage, readImageFile } from '../image-file/read-image-file.ts'
import { checkPixels, type Size } from './image-size.ts'
import { coloursOnWhite, placeOnWhite } from './lay-on-white.ts'
import type { RgbImage } from './resize-bicubic.ts'

/** What is known about an image file before its pixels are decoded. */
export interface ImageHeader {
  /** As seen upright, with the EXIF orientation applied. */
  readonly size: Size
  readonly colours: 'cmyk' | 'other'
  readonly reading: ImageReading
}

/** A truncated or damaged file is rejected; mere warnings, which are common in camera files, are ignored. */
const readOptions = {
  failOn: 'error',
  // Checked against our own limit, with our own message, before anything is decoded.
  limitInputPixels: false,
  // TIFFs may have many; those after the colours are dropped.
  limitInputChannels: false,
  sequentialRead: true,
} as const

/**
 * Reads the type and size of an image file: JPEG, PNG, WebP, GIF (first frame), AVIF or TIFF.
 * @throws {ImageProblem} `empty_image`, `unsupported_image`, `invalid_image`, or `image_too_large` above the limits
 */
export async function readImageHeader(file: Uint8Array): Promise<ImageHeader> {
  const reading = readImageFile(file)
  const header = await orDamaged(sharp(reading.bytes, readOptions).metadata())
  if (header.format !== reading.type) throw notAnImage()
  const size = reading.placement?.picture ?? header.autoOrient
  checkPixels(size)
  return { size, colours: header.space === 'cmyk' ? 'cmyk' : 'other', reading }
}

/**
 * Decodes to upright 8-bit RGB, with transparency composited on white. Like the reference, it ignores colour
 * profiles, except for CMYK, which is meaningless without one.
 * @throws {ImageProblem} `invalid_image` when the data is damaged or truncated
 */
export async function decodeImage({ size, colours, reading }: ImageHeader): Promise<RgbImage> {
  const { data, info } = await pixelsOf(reading.bytes, colours, reading)
  if (reading.alike !== undefined) {
    const other = await pixelsOf(reading.alike, colours, reading)
    if (!data.equals(other.data)) throw damaged()
  }
  const { width, height } = info
  if (!isExpected(info, size, reading)) throw damaged()
  const alpha = reading.extraChannels?.alpha
  const rgb = alpha === undefined ? data : coloursOnWhite(data, info.channels, 3 + alpha)
  if (rgb.length !== width * height * 3) {
    throw new TypeError(`Expected 3 channels, got ${info.channels}`)
  }
  const image = { width, height, rgb }
  return reading.placement === undefined ? image : placeOnWhite(image, reading.placement)
}

/** Whether the decoder reported a picture of the header's size, or the part of it that has pixels. */
function isExpected(decoded: Size, size: Size, { placement }: ImageReading): boolean {
  const { width, height } = decoded
  if (placement === undefined) return width === size.width && height === size.height
  const { left, top, ...area } = placement.area
  const isWithin = width <= size.width && height <= size.height
  return isWithin && width >= left + area.width && height >= top + area.height
}

async function pixelsOf(bytes: Uint8Array, colours: ImageHeader['colours'], reading: ImageReading) {
  const decoded = (failOn: 'error' | 'warning') => {
    const options = { ...readOptions, failOn, ignoreIcc: colours !== 'cmyk' }
    return laidOnWhite(sharp(bytes, options).autoOrient(), reading)
      .toColourspace('srgb')
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true })
  }
  if (reading.heedsWarnings !== true) return orDamaged(decoded('error'))
  try {
    return await decoded('warning')
  } catch (cause) {
    if (!isWarning(cause)) throw damaged(cause)
    return orDamaged(decoded('error'))
  }
}

/** What sharp says when nothing but warnings made it fail. */
function isWarning(cause: unknown): boolean {
  return cause instanceof Error && cause.message.startsWith('Warning treated as error')
}

/** Drops the channels after the colours, or keeps them all where transparency is accompanied by others. */
function laidOnWhite(image: Sharp, { extraChannels }: ImageReading): Sharp {
  if (extraChannels === undefined) return image.flatten({ background: 'white' })
  return extraChannels.alpha === undefined ? image.removeAlpha() : image
}

async function orDamaged<Result>(result: Promise<Result>): Promise<Result> {
  try {
    return await result
  } catch (cause) {
    throw damaged(cause)
  }
}
