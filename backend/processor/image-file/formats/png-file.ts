import { crc32 } from 'node:zlib'
import { unsupported } from '../../image/image-problem.ts'
import { checkPixels, type Size } from '../../image/image-size.ts'
import type { ImageReading } from '../image-reading.ts'
import { exifChunkOf, isExifText, type PngChunk } from './png-exif.ts'

/** Position of IHDR's content, after the signature and its own length and name (PNG, 11.2.1). */
const headerAt = 16

const signatureBytes = 8

/** Bytes of a chunk's length, name and checksum; IHDR also has 13 bytes of content. */
const chunkFrame = 12
const firstChunkEnd = signatureBytes + chunkFrame + 13

/** Samples per pixel by colour type: grey, RGB, palette, grey and RGB with transparency. */
const samplesOf: Readonly<Record<number, number>> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 }

interface PngHeader extends Size {
  readonly interlaced: boolean
  /** Bytes of a decoded pixel; a single transparent colour (`tRNS`) adds a sample. */
  readonly bytesPerPixel: number
}

/** Chunks without which the pixels cannot be understood have a capital first letter (PNG, 5.4); these are known. */
const knownCritical: ReadonlySet<string> = new Set(['IHDR', 'PLTE', 'IDAT', 'IEND'])
const criticalName = /^[A-Z][A-Za-z]{3}$/

/** An optional chunk with a small third letter, which is reserved for later versions of PNG (PNG, 5.4). */
const reservedName = /^[a-z][A-Za-z][a-z][A-Za-z]$/

/** The largest width and height of a PNG (PNG, 11.2.1). */
const maxSide = 2 ** 31 - 1

/**
 * How to decode a PNG. @throws {ImageProblem} `unsupported_image` for one that says it can only be read with an
 * extension of PNG, such as Apple's own; `image_too_large`
 */
export function readPng(file: Uint8Array): ImageReading {
  const header = readPngHeader(file)
  if (header !== undefined && Math.max(header.width, header.height) <= maxSide) checkPixels(header)
  const extension = extensionOf(file)
  if (extension === 'CgBI') throw unsupported("PNG in Apple's own form (CgBI)")
  if (extension !== undefined) throw unsupported(`PNG with the critical chunk ${extension}`)
  return { type: 'png', bytes: withExifFirst(withoutReserved(file)) }
}

/** The first unknown critical chunk before the pixels, unless its name is the result of damage. */
function extensionOf(file: Uint8Array): string | undefined {
  for (const chunk of chunksOf(file)) {
    if (chunk.type === 'IDAT') return undefined
    const isUnknown = criticalName.test(chunk.type) && !knownCritical.has(chunk.type)
    if (isUnknown && hasValidChecksum(file, chunk)) return chunk.type
  }
  return undefined
}

/** Without optional chunks of reserved names before the pixels: to be skipped like all unknown ones, but libpng fails. */
function withoutReserved(file: Uint8Array): Uint8Array {
  let kept: Uint8Array | undefined
  let [length, from] = [0, 0]
  // Copied at once: a file has room for more than a million.
  const keepTo = (end: number) => {
    kept ??= new Uint8Array(file.length)
    kept.set(file.subarray(from, end), length)
    length += end - from
  }
  for (const chunk of chunksOf(file)) {
    if (chunk.type === 'IDAT') break
    if (!reservedName.test(chunk.type) || !hasValidChecksum(file, chunk)) continue
    keepTo(chunk.at)
    from = chunk.end
  }
  if (from === 0) return file
  keepTo(file.length)
  return kept!.subarray(0, length)
}

/**
 * Puts EXIF to the front: the decoder only reads it in a chunk of its own before the pixels, but it may come after them
 * (PNG, third edition, 11.3.4.6), or as text.
 */
function withExifFirst(file: Uint8Array): Uint8Array {
  const insert = (chunk: Uint8Array) =>
    Buffer.concat([file.subarray(0, firstChunkEnd), chunk, file.subarray(firstChunkEnd)])
  let hasPixels = false
  let text: PngChunk | undefined
  for (const chunk of chunksOf(file)) {
    if (chunk.type === 'IDAT') hasPixels = true
    if (chunk.type === 'eXIf') {
      return hasPixels ? insert(file.subarray(chunk.at, chunk.end)) : file
    }
    // Only the first is expanded: a file has room for many thousands.
    if (text === undefined && isExifText(chunk)) text = chunk
  }
  const fromText = text && exifChunkOf(text)
  return fromText === undefined ? file : insert(fromText)
}

/** The complete chunks, as far as they follow each other. */
function* chunksOf(file: Uint8Array): Generator<PngChunk> {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  for (let at = signatureBytes; at + chunkFrame <= file.length;) {
    const end = at + chunkFrame + view.getUint32(at)
    if (end > file.length) return
    yield { type: asciiAt(file, at + 4), content: file.subarray(at + 8, end - 4), at, end }
    at = end
  }
}

/** @returns undefined when the file does not begin with a header */
export function readPngHeader(file: Uint8Array): PngHeader | undefined {
  if (file.length < headerAt + 13 || firstChunk(file) !== 'IHDR') return undefined
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  const samples = (samplesOf[file[headerAt + 9]!] ?? 4) + 1
  return {
    width: view.getUint32(headerAt),
    height: view.getUint32(headerAt + 4),
    interlaced: file[headerAt + 12] === 1,
    bytesPerPixel: samples * (file[headerAt + 8] === 16 ? 2 : 1),
  }
}

function hasValidChecksum(file: Uint8Array, { at, end }: PngChunk): boolean {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  return view.getUint32(end - 4) === crc32(file.subarray(at + 4, end - 4))
}

function firstChunk(file: Uint8Array): string {
  return asciiAt(file, headerAt - 4)
}

function asciiAt(file: Uint8Array, at: number): string {
  return String.fromCharCode(...file.subarray(at, at + 4))
}
