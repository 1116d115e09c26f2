import { ImageProblem, damaged, unsupported } from '../image-problem.ts'
import type { ImageReading } from './image-reading.ts'
import { isFrameHeader, isProgressive, readFrame, type JpegFrame } from './jpeg-frame.ts'
import { JpegScans } from './jpeg-scans.ts'
import { jpegMarkers, jpegSegments } from './jpeg-segments.ts'

/**
 * Most segments before the frame header. Embedded previews, profiles and maker notes come in pieces of 64 KiB: 20 MiB of
 * them are 320.
 */
const maxLeadingSegments = 10_000

/** Coding processes that are not read, by their frame headers. Baseline, extended, progressive and lossless ones are. */
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

/** What the headers before a JPEG's first entropy-coded data say. */
interface JpegHead {
  readonly frame: JpegFrame
  /** Whether more scans are to come, so that all coefficients are kept until the last. */
  readonly hasSeveralScans: boolean
}

/** Finds the frame and the first scan's header by hopping over what lies before; undefined when they are not there. */
export function readJpegHead(file: Uint8Array): JpegHead | undefined {
  let seen = 0
  let frame: JpegFrame | undefined
  for (const segment of jpegSegments(file)) {
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
 * Judges frame and scans in one pass over the file, before anything is decoded. For tables without a picture, as TIFF keeps
 * them, undefined is returned; so it is when there is no frame.
 * @throws {ImageProblem} `unsupported_image`; `image_too_large` for too much work in its scans
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
 * How to decode a JPEG. One that lacks nothing but its end marker gets one, and is then decoded strictly: missing data would
 * be a mere warning.
 * @throws {ImageProblem} as `checkJpegScans`, and `invalid_image` when image data is missing
 */
export function readJpeg(file: Uint8Array): ImageReading {
  const scans = checkJpegScans(file)
  if (scans === undefined || scans.ended) return { type: 'jpeg', bytes: file }
  if (!scans.complete) throw damaged()
  return { type: 'jpeg', bytes: withEnd(file), strict: true }
}

function checkFrame({ marker, precision, components, height }: JpegFrame): void {
  const process = unreadProcesses.get(marker)
  if (process !== undefined) throw unsupported(`${process} JPEG`)
  if (precision !== 8) throw unsupported(`JPEG with ${precision} bits a sample`)
  if (![1, 3, 4].includes(components.length)) {
    throw unsupported(`JPEG with ${components.length} components`)
  }
  if (height === 0) throw unsupported('JPEG that tells its height after its pixels')
}

/** Of an end marker that was cut in half, one byte is there. */
function withEnd(file: Uint8Array): Uint8Array {
  const data = file.at(-1) === 0xff ? file.subarray(0, -1) : file
  return Buffer.concat([data, Uint8Array.of(0xff, jpegMarkers.eoi)])
}
