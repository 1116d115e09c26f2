import type { Area, ImageReading, Placement } from '../image-reading.ts'

const blocks = { extension: 0x21, image: 0x2c } as const

/** Bytes of the header with the screen descriptor, and of an image descriptor (GIF89a, sections 17, 18 and 20). */
const headBytes = 13
const descriptorBytes = 10

/**
 * How to decode a GIF's first frame. The part of the screen it does not cover is transparent, which the decoder does
 * not report; and of a screen that was a common display's size, it reports only the part up to the frame's end.
 */
export function readGif(file: Uint8Array): ImageReading {
  const placement = placeFirstFrame(file, file.length)
  return { type: 'gif', bytes: file, ...(placement && { placement }) }
}

/**
 * Where the first frame lies; undefined when none is found. GIF89a wants frames within the screen (section 20); where
 * one is not, the screen grows to hold it, as in Chromium and Pillow. (Firefox and Safari show only the part within
 * the screen, unless the frame is also larger than that.)
 * @param maxBlocks data blocks to inspect
 */
export function placeFirstFrame(file: Uint8Array, maxBlocks: number): Placement | undefined {
  const area = firstFrame(file, maxBlocks)
  if (area === undefined) return undefined
  const picture = {
    width: Math.max(wordAt(file, 6), area.left + area.width),
    height: Math.max(wordAt(file, 8), area.top + area.height),
  }
  return { picture, area }
}

function firstFrame(file: Uint8Array, maxBlocks: number): Area | undefined {
  let at = headBytes + colourTableBytes(file[10] ?? 0)
  for (let block = 0; block < maxBlocks; block++) {
    if (file[at] === blocks.image) return areaAt(file, at + 1)
    if (file[at] !== blocks.extension) return undefined
    at += 2
    for (; (file[at] ?? 0) !== 0 && block < maxBlocks; block++) at += 1 + file[at]!
    at += 1
  }
  return undefined
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
