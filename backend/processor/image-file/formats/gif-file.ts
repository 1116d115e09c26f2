import { damaged, unsupported } from '../../image/image-problem.ts'
import { checkPixels } from '../../image/image-size.ts'
import type { Area, ImageReading, Placement } from '../image-reading.ts'
import { countGifPixels } from './gif-codes.ts'

const blocks = { extension: 0x21, image: 0x2c } as const

/** Bytes of the header with the screen descriptor, and of an image descriptor (GIF89a, sections 17, 18 and 20). */
const headBytes = 13
const descriptorBytes = 10

/** Ends a list of data blocks, and the file. */
const ending = Uint8Array.of(0, 0x3b)

/**
 * How to decode a GIF's first frame. The part of the screen it does not cover is transparent, which the decoder does
 * not report; and of a screen that was a common display's size, it reports only the part up to the frame's end. Nor
 * does it report that pixels are missing, but it insists on the end of the frame's blocks.
 * @throws {ImageProblem} `invalid_image` when pixels are missing; `image_too_large`; `unsupported_image` for codes that
 * the decoder misreads
 */
export function readGif(file: Uint8Array): ImageReading {
  const at = firstFrameAt(file, file.length)
  const area = typeof at === 'number' ? areaAt(file, at) : undefined
  if (typeof at !== 'number' || area === undefined) return { type: 'gif', bytes: file }
  const placement = placementOf(file, area)
  checkPixels(placement.picture)
  const bytes = checkData(file, at + descriptorBytes - 1, area)
  return { type: 'gif', bytes, placement }
}

/** @returns the file, with the end of the frame's blocks if only that is missing */
function checkData(file: Uint8Array, tableAt: number, area: Area): Uint8Array {
  const at = tableAt + colourTableBytes(file[tableAt - 1]!)
  const rootBits = file[at] ?? 0
  // Codes of at least two bits are required (appendix F), but some decoders, unlike ours, read shorter ones.
  if (rootBits === 1) throw unsupported('GIF with 1-bit codes')
  const { data, end, ended } = dataBlocks(file, at + 1)
  const pixels = area.width * area.height
  if (pixels === 0 || countGifPixels(data, rootBits, pixels) < pixels) throw damaged()
  return ended ? file : Buffer.concat([file.subarray(0, end), ending])
}

/** The whole data blocks from here on, where they end, and whether an empty block ends them (section 15). */
function dataBlocks(file: Uint8Array, start: number) {
  const contents: Uint8Array[] = []
  let at = start
  for (;;) {
    const length = file[at]
    const end = at + 1 + (length ?? 0)
    if (length === undefined || length === 0 || end > file.length) {
      return { data: Buffer.concat(contents), end: at, ended: length === 0 }
    }
    contents.push(file.subarray(at + 1, end))
    at = end
  }
}

/**
 * Where the first frame lies; undefined when there is none. GIF89a wants frames within the screen (section 20); where
 * one is not, the screen grows to hold it, as in Chromium and Pillow. (Firefox and Safari show only the part within
 * the screen, unless the frame is also larger than that.)
 * @param maxBlocks data blocks to inspect
 */
export function placeFirstFrame(
  file: Uint8Array,
  maxBlocks: number,
): Placement | 'too far' | undefined {
  const at = firstFrameAt(file, maxBlocks)
  if (typeof at !== 'number') return at
  const area = areaAt(file, at)
  return area && placementOf(file, area)
}

function placementOf(file: Uint8Array, area: Area): Placement {
  const picture = {
    width: Math.max(wordAt(file, 6), area.left + area.width),
    height: Math.max(wordAt(file, 8), area.top + area.height),
  }
  return { picture, area }
}

/** Position of the first frame's descriptor, behind the byte that introduces it. */
function firstFrameAt(file: Uint8Array, maxBlocks: number): number | 'too far' | undefined {
  let at = headBytes + colourTableBytes(file[10] ?? 0)
  for (let block = 0; block < maxBlocks; block++) {
    if (file[at] === blocks.image) return at + 1
    if (file[at] !== blocks.extension) return undefined
    at += 2
    for (; (file[at] ?? 0) !== 0 && block < maxBlocks; block++) at += 1 + file[at]!
    at += 1
  }
  return 'too far'
}

function areaAt(file: Uint8Array, at: number): Area | undefined {
  if (at + descriptorBytes - 1 > file.length) return undefined
  return {
    left: wordAt(file, at),
    top: wordAt(file, at + 2),
    width: wordAt(file, at + 4),
    height: wordAt(file, at + 6),
  }
}

function wordAt(file: Uint8Array, at: number): number {
  return (file[at] ?? 0) + (file[at + 1] ?? 0) * 256
}

function colourTableBytes(packed: number): number {
  return (packed & 0x80) === 0 ? 0 : 3 * 2 ** ((packed & 7) + 1)
}
