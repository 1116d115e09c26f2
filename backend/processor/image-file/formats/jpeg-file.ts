import { ImageProblem, damaged, unsupported } from '../../image/image-problem.ts'
import { checkPixels } from '../../image/image-size.ts'
import type { ImageReading } from '../image-reading.ts'
import { isFrameHeader, isProgressive, readFrame, type JpegFrame } from './jpeg-frame.ts'
import { JpegScans } from './jpeg-scans.ts'
import { jpegMarkers, jpegSegments } from './jpeg-segments.ts'

/**
 * The most segments before the frame header. Embedded previews, profiles and maker notes come in pieces of 64 KiB, of
 * which 20 MiB hold 320.
 */
const maxLeadingSegments = 10_000

/** Bytes inspected between these segments: fill bytes, and garbage from broken writers. */
const maxLeadingGaps = 65_536

/**
 * Unsupported coding processes, by their frame headers. Baseline, extended, progressive and lossless ones are
 * supported.
 */
const unreadProcesses: ReadonlyMap<number, string> = new Map([
  [0xc5, 'hierarchical'],
  [0xc6, 'hierarchical'],
  [0xc7, 'hierarchical'],
  [0xcb, 'lossless arithmetic'],
  [0xcd, 'hierarchical'],
  [0xce, 'hierarchical'],
  [0xcf, 'hierarchical'],
  [0xf7, 'JPEG-LS'],
])

/** Content of the headers before a JPEG's first entropy-coded data. */
interface JpegHead {
  readonly frame: JpegFrame
  /** Whether more scans follow, in which case all coefficients are kept until the last. */
  readonly hasSeveralScans: boolean
}

/** Finds the frame and the first scan's header by skipping what precedes them; undefined when they are missing. */
export function readJpegHead(file: Uint8Array): JpegHead | undefined {
  let seen = 0
  let frame: JpegFrame | undefined
  for (const segment of jpegSegments(file, maxLeadingGaps)) {
    if (++seen > maxLeadingSegments) return undefined
    if (isFrameHeader(segment)) frame ??= readFrame(file, segment)
    if (segment.marker !== jpegMarkers.sos) continue
    if (frame === undefined) return undefined
    const lacksComponents = file[segment.start]! < frame.components.length
    return { frame, hasSeveralScans: isProgressive(frame) || lacksComponents }
  }
  return undefined
}

/**
 * Judges the frame and the scans in one pass over the file, before anything is decoded. Returns undefined when there
 * is no frame, for example for TIFF's table-only streams.
 * @throws {ImageProblem} `unsupported_image`; `image_too_large` for its size, or too much work in its scans
 */
export function checkJpegScans(file: Uint8Array): JpegScans | undefined {
  let scans: JpegScans | undefined
  for (const segment of jpegSegments(file)) {
    if (isFrameHeader(segment) && scans === undefined) {
      const frame = readFrame(file, segment)
      if (frame === undefined) return undefined
      checkFrame(frame)
      scans = new JpegScans(frame)
    }
    if (segment.marker === jpegMarkers.eoi) scans?.end()
    if (segment.marker !== jpegMarkers.sos || scans === undefined) continue
    scans.add(file, segment)
    const problem = scans.tooMuch()
    if (problem !== undefined) throw new ImageProblem('image_too_large', problem)
  }
  return scans
}

/**
 * How to decode a JPEG. One that lacks only its end marker gets one. Whether its last scan is complete can only be
 * found out by decoding: if it is, what follows it makes no difference.
 * @throws {ImageProblem} as `checkJpegScans`, and `invalid_image` when image data is missing
 */
export function readJpeg(file: Uint8Array): ImageReading {
  const scans = checkJpegScans(file)
  if (scans === undefined || scans.ended) return { type: 'jpeg', bytes: file }
  // It omits trailing zeros, so that data missing there cannot be noticed.
  if (scans.isArithmetic) throw unsupported('arithmetic JPEG without its end marker')
  if (!scans.complete) throw damaged()
  const end = Uint8Array.of(0xff, jpegMarkers.eoi)
  const data = withoutFill(file)
  return {
    type: 'jpeg',
    bytes: Buffer.concat([data, end]),
    alike: Buffer.concat([data, otherData(), end]),
  }
}

/** Without the first byte of an end marker that was cut in half, and the bytes that may fill the space before one. */
function withoutFill(file: Uint8Array): Uint8Array {
  let end = file.length
  while (file[end - 1] === 0xff) end -= 1
  return file.subarray(0, end)
}

/** The longest side that the decoder reads; JPEG itself ends at 65,535 (T.81, B.2.2). */
const maxJpegSide = 65_500

function checkFrame({ marker, precision, components, width, height }: JpegFrame): void {
  const process = unreadProcesses.get(marker)
  if (process !== undefined) throw unsupported(`${process} JPEG`)
  if (precision !== 8) throw unsupported(`JPEG with ${precision} bits a sample`)
  if (![1, 3, 4].includes(components.length)) {
    throw unsupported(`JPEG with ${components.length} components`)
  }
  if (height === 0) throw unsupported('JPEG that gives its height after its pixels')
  checkPixels({ width, height })
  const side = Math.max(width, height)
  if (side <= maxJpegSide) return
  const message = `a side of ${side} pixels is over the limit of ${maxJpegSide} for JPEG`
  throw new ImageProblem('image_too_large', message)
}

/**
 * Bytes that a decoder reads as data where some is missing: varied, and with every restart marker it may be looking
 * for.
 */
function otherData(): Uint8Array {
  const bytes = Uint8Array.from({ length: 2_048 }, (_, index) => (index * 151 + 57) % 251)
  for (let at = 64; at < bytes.length; at += 64) bytes.set([0xff, 0xd0 + ((at / 64) % 8)], at)
  return bytes
}
