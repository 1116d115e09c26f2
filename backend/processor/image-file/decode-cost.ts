import { maxImagePixels } from '../../../shared/api/limits.ts'
import type { Size } from '../image/image-size.ts'
import { largestAvifItem } from './formats/avif-file.ts'
import {
  coefficientBytes,
  decoderBytesPerPixel,
  estimatedMsPerPixel,
  jpegScanMsPerSample,
  maxJpegPasses,
  resultBytesPerPixel,
  smallJpegScanSamples,
} from './decode-limits.ts'
import { placeFirstFrame } from './formats/gif-file.ts'
import { imageType, type ImageType } from './image-type.ts'
import { readJpegHead } from './formats/jpeg-file.ts'
import { readPngHeader } from './formats/png-file.ts'
import { readTiffHeader } from './formats/tiff-file.ts'
import { webpSize } from './formats/webp-file.ts'

/** Expected cost of decoding an image file. */
export interface DecodeCost {
  readonly bytes: number
  readonly ms: number
}

/** What a decoder needs, according to the header. */
interface Demand {
  readonly pixels: number
  /** Bytes kept in addition to the result. */
  readonly decoderBytes: number
  /** Milliseconds in addition to those of its pixels. */
  readonly scanMs?: number
}

/** Memory of the largest allowed picture, decoded in the most expensive way; files that say nothing are mostly refused at once. */
const unknown: DecodeCost = {
  bytes: maxImagePixels * (resultBytesPerPixel + decoderBytesPerPixel.avif),
  ms: 0,
}

/** GIF blocks inspected before the first frame; comments and extensions take a few dozen. */
const maxGifBlocks = 1_000

/**
 * Upper bound for the memory and time needed to decode the file, from its header alone and without a decoder: fast enough for
 * the main thread, however large the file. An unreadable header counts as the largest allowed picture in memory, and as no time. Files that are
 * not images, or exceed the pixel limit and will be rejected, cost nothing.
 */
export function estimateDecode(file: Uint8Array): DecodeCost {
  const type = imageType(file)
  if (type === undefined) return { bytes: 0, ms: 0 }
  const demand = demandOf(file, type)
  if (demand === undefined) return unknown
  const { pixels, decoderBytes, scanMs = 0 } = demand
  if (pixels > maxImagePixels) return { bytes: 0, ms: 0 }
  const bytes = pixels * resultBytesPerPixel + decoderBytes
  return { bytes, ms: pixels * estimatedMsPerPixel[type] + scanMs }
}

function demandOf(file: Uint8Array, type: ImageType): Demand | undefined {
  switch (type) {
    case 'jpeg':
      return jpegDemand(file)
    case 'png':
      return pngDemand(file)
    case 'webp':
      return perPixel(webpSize(file), decoderBytesPerPixel.webp)
    case 'gif':
      return gifDemand(file)
    case 'heif':
      return perPixel(largestAvifItem(file), decoderBytesPerPixel.avif)
    case 'tiff':
      return tiffDemand(file)
  }
}

function jpegDemand(file: Uint8Array): Demand | undefined {
  const head = readJpegHead(file)
  if (head === undefined) return undefined
  const { frame, hasSeveralScans } = head
  const pixels = frame.width * frame.height
  if (!hasSeveralScans) return { pixels, decoderBytes: 0 }
  const samples = frame.components.reduce((sum, component) => sum + component.samples, 0)
  const scannedSamples = Math.max(smallJpegScanSamples, maxJpegPasses * samples)
  return {
    pixels,
    decoderBytes: samples * coefficientBytes,
    scanMs: scannedSamples * jpegScanMsPerSample,
  }
}

/** An interlaced PNG is only complete after its last pass. */
function pngDemand(file: Uint8Array): Demand | undefined {
  const header = readPngHeader(file)
  if (header === undefined) return undefined
  const pixels = header.width * header.height
  return { pixels, decoderBytes: header.interlaced ? pixels * header.bytesPerPixel : 0 }
}

/** Behind too many blocks there may be the largest picture. */
function gifDemand(file: Uint8Array): Demand | undefined {
  const frame = placeFirstFrame(file, maxGifBlocks)
  const size = frame === 'too far' ? { width: maxImagePixels, height: 1 } : frame?.picture
  return perPixel(size, decoderBytesPerPixel.gif)
}

/** Strips and tiles are decoded as a whole, and a single one may be the entire picture. */
function tiffDemand(file: Uint8Array): Demand | undefined {
  const header = readTiffHeader(file)
  if (header === undefined) return undefined
  const pixels = header.width * header.height
  return { pixels, decoderBytes: pixels * header.bytesPerPixel }
}

function perPixel(size: Size | undefined, bytes: number): Demand | undefined {
  if (size === undefined) return undefined
  const pixels = size.width * size.height
  return { pixels, decoderBytes: pixels * bytes }
}
