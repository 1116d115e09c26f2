import type { Size } from '../../image/image-size.ts'
import { damaged, unsupported } from '../../image/image-problem.ts'
import type { ExtraChannels, ImageReading } from '../image-reading.ts'
import { checkJpegScans } from './jpeg-file.ts'
import { TiffDirectory } from './tiff-directory.ts'
import { repairTiff } from './tiff-repair.ts'
import {
  coloursOf,
  compressions,
  jpegCompression,
  otherCompressions,
  otherPhotometrics,
  photometric,
  sampleFormats,
  tiffTags,
} from './tiff-values.ts'

/** Samples per pixel that are inspected; no picture has this many. */
const maxSamples = 64

/** Extra samples that are transparency: premultiplied into the colours, and not. */
const alphaKinds: ReadonlySet<number> = new Set([1, 2])

/** What the first directory says about the pixels. */
interface TiffLayout {
  readonly compression: number
  readonly photometric: number
  readonly bits: readonly number[]
  readonly samples: number
  readonly extras: readonly number[]
}

/**
 * How to decode a TIFF's first picture. Decoders interpret variants they do not know as ones they do, and return a
 * wrong picture or an unrelated error. So anything that is not certain to be read correctly is rejected here.
 * @throws {ImageProblem} `unsupported_image`; `image_too_large` for an embedded JPEG that takes too much work;
 * `invalid_image`
 */
export function readTiff(file: Uint8Array): ImageReading {
  const directory = TiffDirectory.of(file)
  const size = directory && sizeOf(directory)
  // The decoder will report what is wrong.
  if (directory === undefined || size === undefined) return { type: 'tiff', bytes: file }
  const layout = layoutOf(directory)
  if (layout === undefined) throw unsupported('TIFF without PhotometricInterpretation')
  checkCompression(layout)
  checkPlanes(layout, directory)
  checkTiles(size, directory)
  checkSampleFormat(directory)
  checkColours(layout, directory)
  checkDepth(layout)
  checkPalette(layout, directory)
  checkTileData(file, directory)
  if (layout.compression === jpegCompression) checkJpegs(file, directory)
  const bytes = repairTiff(directory)
  const reading = { type: 'tiff', bytes, heedsWarnings: hasFullTiles(file, directory) } as const
  const extraChannels = extraChannelsOf(layout)
  return extraChannels === undefined ? reading : { ...reading, extraChannels }
}

/** Size and stored bytes per pixel of the first picture; undefined when the directory lacks them. */
export function readTiffHeader(
  file: Uint8Array,
): (Size & { readonly bytesPerPixel: number }) | undefined {
  const directory = TiffDirectory.of(file)
  const layout = directory && layoutOf(directory)
  const size = directory && sizeOf(directory)
  if (layout === undefined || size === undefined) return undefined
  return { ...size, bytesPerPixel: layout.samples * Math.ceil(layout.bits[0]! / 8) }
}

function sizeOf(directory: TiffDirectory): Size | undefined {
  const width = directory.number(tiffTags.width)
  const height = directory.number(tiffTags.height)
  return width === undefined || height === undefined ? undefined : { width, height }
}

/** @returns undefined without the photometric interpretation, which has no default (TIFF 6.0, section 8) */
function layoutOf(directory: TiffDirectory): TiffLayout | undefined {
  const interpretation = directory.number(tiffTags.photometric)
  if (interpretation === undefined) return undefined
  const samples = directory.number(tiffTags.samplesPerPixel) ?? 1
  const bits = directory.numbers(tiffTags.bitsPerSample, maxSamples)
  return {
    compression: directory.number(tiffTags.compression) ?? 1,
    photometric: interpretation,
    bits: bits.length === 0 ? [1] : bits,
    samples,
    extras: directory.numbers(tiffTags.extraSamples, maxSamples),
  }
}

function checkCompression({ compression }: TiffLayout): void {
  if (compressions.has(compression)) return
  const name = otherCompressions.get(compression) ?? `compression ${compression}`
  throw unsupported(`TIFF with ${name}`)
}

/** Samples per pixel supported in separate planes. Two are read incorrectly (observed with libvips 8.18). */
const planesRead: ReadonlySet<number> = new Set([1, 3, 4])

function checkPlanes({ samples }: TiffLayout, directory: TiffDirectory): void {
  if (directory.number(tiffTags.planarConfiguration) !== 2) return
  const isTiled = directory.number(tiffTags.tileOffsets) !== undefined
  if (isTiled) throw unsupported('TIFF with tiles of separate planes')
  if (!planesRead.has(samples)) throw unsupported(`TIFF with ${samples} separate planes`)
}

/** Tiles may be a little larger than the picture (observed with libvips 8.18, as is the limit of their sides). */
function checkTiles({ width, height }: Size, directory: TiffDirectory): void {
  const longest = Math.min(8192, 256 * Math.ceil(Math.max(width, height) / 128))
  const sides = [tiffTags.tileWidth, tiffTags.tileHeight].map((tag) => directory.number(tag) ?? 0)
  if (Math.max(...sides) <= longest) return
  throw unsupported(`TIFF with tiles of ${sides.join(' x ')} pixels for ${width} x ${height}`)
}

function checkSampleFormat(directory: TiffDirectory): void {
  for (const format of directory.numbers(tiffTags.sampleFormat, maxSamples)) {
    const name = sampleFormats.get(format)
    if (name !== undefined) throw unsupported(`TIFF with ${name} samples`)
  }
}

function checkColours(layout: TiffLayout, directory: TiffDirectory): void {
  const { photometric: interpretation, compression, samples, extras } = layout
  const colours = coloursOf.get(interpretation)
  if (colours === undefined) {
    const name = otherPhotometrics.get(interpretation) ?? `colours of kind ${interpretation}`
    throw unsupported(`TIFF with ${name}`)
  }
  if (interpretation === photometric.ycbcr && compression !== jpegCompression) {
    throw unsupported('TIFF with YCbCr colours but without JPEG')
  }
  const isCmyk = interpretation === photometric.cmyk
  if (isCmyk && (directory.number(tiffTags.inkSet) ?? 1) !== 1) {
    throw unsupported('TIFF with inks other than CMYK')
  }
  // Three samples that are said to be grey may be colours: some writers forget to say so.
  const isSaid = extras.length > 0 || colours !== 1
  const mostExtras = interpretation === photometric.palette ? 0 : isSaid ? maxSamples : 1
  if (samples < colours || samples - colours > mostExtras) {
    throw unsupported(`TIFF with ${samples} samples a pixel for these colours`)
  }
}

function checkDepth({ bits, samples, photometric: interpretation }: TiffLayout): void {
  const depth = bits[0]!
  if (bits.some((other) => other !== depth)) throw unsupported('TIFF with samples of unequal bits')
  const isGrey =
    interpretation === photometric.whiteIsZero || interpretation === photometric.blackIsZero
  const isPalette = interpretation === photometric.palette
  const depths = [...(samples === 1 ? [1, 2, 4] : []), 8, ...(isPalette ? [] : [16])]
  if (depths.includes(depth) && (depth >= 8 || isGrey || isPalette)) return
  throw unsupported(`TIFF with ${depth} bits a sample`)
}

/** Red, green and blue of each value (TIFF 6.0, section 5). Decoders take values without them for grey. */
function checkPalette(layout: TiffLayout, directory: TiffDirectory): void {
  if (layout.photometric !== photometric.palette) return
  const colours = 3 * 2 ** layout.bits[0]!
  if (directory.places(tiffTags.colourMap, colours).length < colours) throw damaged()
}

/** The channels after the colours. A single transparency channel needs no entry: the decoder assumes one anyway. */
function extraChannelsOf({
  photometric: interpretation,
  samples,
  extras,
}: TiffLayout): ExtraChannels | undefined {
  const colours = coloursOf.get(interpretation)!
  const count = samples - colours
  if (count === 0) return undefined
  const firstAlpha = extras.slice(0, count).findIndex((kind) => alphaKinds.has(kind))
  if (firstAlpha < 0) return { alpha: undefined }
  if (count === 1) return undefined
  if (interpretation === photometric.cmyk) {
    throw unsupported('TIFF with CMYK colours, transparency and further channels')
  }
  return { alpha: firstAlpha }
}

/** Tiles beyond the end of a file that was cut off; unless it is asked for warnings, the decoder leaves them black. */
function checkTileData(file: Uint8Array, directory: TiffDirectory): void {
  const sizes = directory.numbers(tiffTags.tileByteCounts, file.length)
  const offsets = directory.numbers(tiffTags.tileOffsets, file.length)
  if (offsets.some((offset, index) => offset + (sizes[index] ?? 0) > file.length)) throw damaged()
}

/** Whether it has tiles, none of them empty: GDAL leaves those out, and with warnings they would be errors. */
function hasFullTiles(file: Uint8Array, directory: TiffDirectory): boolean {
  const sizes = directory.numbers(tiffTags.tileByteCounts, file.length)
  return sizes.length > 0 && !sizes.includes(0)
}

/**
 * A strip or tile may hold a JPEG with any number of scans. Those at the same position are inspected once. The decoder
 * does not report it when one ends too early.
 */
function checkJpegs(file: Uint8Array, directory: TiffDirectory): void {
  const all = (...tags: readonly number[]) =>
    tags.map((tag) => directory.numbers(tag, file.length)).find(({ length }) => length > 0) ?? []
  const offsets = all(tiffTags.tileOffsets, tiffTags.stripOffsets)
  const sizes = all(tiffTags.tileByteCounts, tiffTags.stripByteCounts)
  const ends = new Map<number, number>()
  for (const [index, offset] of offsets.entries()) {
    const end = offset + (sizes[index] ?? 0)
    ends.set(offset, Math.max(end, ends.get(offset) ?? 0))
  }
  let looked = 0
  for (const [offset, end] of ends) {
    const jpeg = file.subarray(offset, end)
    looked += jpeg.length
    if (looked > 2 * file.length) throw damaged()
    if (checkJpegScans(jpeg)?.ended === false) throw damaged()
  }
}
