import { ImageProblem } from '../image/image-problem.ts'
import { readAvif } from './formats/avif-file.ts'
import { readGif } from './formats/gif-file.ts'
import type { ImageReading } from './image-reading.ts'
import { imageType } from './image-type.ts'
import { readJpeg } from './formats/jpeg-file.ts'
import { readPng } from './formats/png-file.ts'
import { readTiff } from './formats/tiff-file.ts'

/**
 * Judges an image file by its headers and markers, in one pass and without a decoder. A header with invalid content
 * is left to the decoder.
 * @returns how to decode it
 * @throws {ImageProblem} `empty_image`, `unsupported_image`, `image_too_large` for more work than its size justifies,
 * `invalid_image` when it lacks image data
 */
export function readImageFile(file: Uint8Array): ImageReading {
  if (file.length === 0) throw new ImageProblem('empty_image', 'the file is empty')
  const type = imageType(file)
  switch (type) {
    case 'jpeg':
      return readJpeg(file)
    case 'png':
      return readPng(file)
    case 'gif':
      return readGif(file)
    case 'tiff':
      return readTiff(file)
    case 'heif':
      return readAvif(file)
    case 'webp':
      return { type, bytes: file }
    case undefined:
      throw notAnImage()
  }
}

export function notAnImage(): ImageProblem {
  return new ImageProblem(
    'unsupported_image',
    'the file is not a JPEG, PNG, WebP, GIF, AVIF or TIFF image',
  )
}
