import type { Size } from '../../image/image-size.ts'
import type { Area, ImageReading } from '../image-reading.ts'

const blocks = { extension: 0x21, image: 0x2c } as const

/** Bytes of the header with the screen descriptor, and of an image descriptor (GIF89a, sections 17, 18 and 20). */
const headBytes = 13
const descriptorBytes = 10

/**
 * How to decode a GIF's first frame. The part of the screen it does not cover is transparent, which the decoder does
 * not report.
 */
export function readGif(file: Uint8Array): ImageReading {
  const covered = firstFrame(file, file.length)
  return { type: 'gif', bytes: file, ...(covered && { covered }) }
}

export function screenOf(file: Uint8Array): Size {
  return { width: wordAt(file, 6), height: wordAt(file, 8) }
}

/** Position of the first frame on the screen; undefined when none is found. @param maxBlocks data blocks to inspect */
export function firstFrame(file: Uint8Array, maxBlocks: number): Area | undefined {
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
