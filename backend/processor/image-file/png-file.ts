import { unsupported } from '../image-problem.ts'
import type { ImageReading } from './image-reading.ts'

/** Where the first chunk's name stands, behind signature and length; and what is in IHDR (PNG, 11.2.1). */
const firstChunkAt = 12
const interlaceAt = 28

/** How to decode a PNG. @throws {ImageProblem} `unsupported_image` for Apple's own form, which is no PNG to others */
export function readPng(file: Uint8Array): ImageReading {
  if (isCgbi(file)) throw unsupported("PNG in Apple's own form (CgBI)")
  return { type: 'png', bytes: file }
}

export function isInterlaced(file: Uint8Array): boolean {
  return file[interlaceAt] === 1
}

function isCgbi(file: Uint8Array): boolean {
  return String.fromCharCode(...file.subarray(firstChunkAt, firstChunkAt + 4)) === 'CgBI'
}
