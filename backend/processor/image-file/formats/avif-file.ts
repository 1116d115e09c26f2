import type { Size } from '../../image/image-size.ts'
import { unsupported } from '../../image/image-problem.ts'
import type { ImageReading } from '../image-reading.ts'

/** Boxes inspected per file, including malformed ones. */
const maxBoxes = 10_000

/** Position of the brands in `ftyp`, which is the first box. */
const brandAt = 8
const compatibleAt = 16

/**
 * How to decode an AVIF. An animation also contains its first picture as a still image, unless its brands say
 * otherwise. The decoder looks for that image when the main brand is that of still images.
 * @throws {ImageProblem} `unsupported_image` for an animation without a still picture
 */
export function readAvif(file: Uint8Array): ImageReading {
  if (asciiAt(file, brandAt) !== 'avis') return { type: 'heif', bytes: file }
  if (!compatibleBrands(file).includes('avif'))
    throw unsupported('AVIF animation without a still picture')
  const bytes = Buffer.from(file)
  bytes.write('avif', brandAt, 'latin1')
  return { type: 'heif', bytes }
}

/** The largest picture named by the file's item properties (`ispe`, ISO/IEC 23008-12); undefined when there is none. */
export function largestAvifItem(file: Uint8Array): Size | undefined {
  let largest: Size | undefined
  let boxes = 0
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  const walk = (start: number, end: number, path: readonly string[]) => {
    for (let at = start; at + 8 <= end && ++boxes <= maxBoxes;) {
      const length = view.getUint32(at)
      const boxEnd = length === 0 ? end : at + length
      if (length === 1 || boxEnd < at + 8 || boxEnd > end) return
      const type = asciiAt(file, at + 4)
      if (type === 'ispe' && path.length === 0 && at + 20 <= boxEnd) {
        const size = { width: view.getUint32(at + 12), height: view.getUint32(at + 16) }
        if (largest === undefined || pixels(size) > pixels(largest)) largest = size
      }
      // A `meta` box has four bytes of version and flags before its content.
      if (type === path[0]) walk(at + (type === 'meta' ? 12 : 8), boxEnd, path.slice(1))
      at = boxEnd
    }
  }
  walk(0, file.length, ['meta', 'iprp', 'ipco'])
  return largest
}

function pixels({ width, height }: Size): number {
  return width * height
}

function compatibleBrands(file: Uint8Array): string[] {
  const boxBytes = new DataView(file.buffer, file.byteOffset).getUint32(0)
  const count = Math.max(0, Math.floor((Math.min(boxBytes, file.length, 256) - compatibleAt) / 4))
  return Array.from({ length: count }, (_, index) => asciiAt(file, compatibleAt + 4 * index))
}

function asciiAt(file: Uint8Array, at: number): string {
  return String.fromCharCode(...file.subarray(at, at + 4))
}
