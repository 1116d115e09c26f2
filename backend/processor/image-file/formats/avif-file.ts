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
 * otherwise. The decoder looks for that image when the main brand is that of still images, and insists that this brand,
 * or the one of all HEIF images, is also among the compatible ones.
 * @throws {ImageProblem} `unsupported_image` for an animation without a still picture, and for colours that the decoder
 * would show too dark or too pale
 */
export function readAvif(file: Uint8Array): ImageReading {
  if (isPremultiplied(file)) throw unsupported('AVIF with premultiplied transparency')
  if (isNarrowGrey(file)) throw unsupported('AVIF in grey with limited range')
  const others = compatibleBrands(file)
  switch (asciiAt(file, brandAt)) {
    case 'avis':
      if (others.includes('avif')) return { type: 'heif', bytes: withAvifAt(brandAt, file) }
      throw unsupported('AVIF animation without a still picture')
    case 'avif':
      if (others.length === 0 || others.includes('avif') || others.includes('mif1')) break
      return { type: 'heif', bytes: withAvifAt(compatibleAt, file) }
  }
  return { type: 'heif', bytes: file }
}

function withAvifAt(at: number, file: Uint8Array): Uint8Array {
  const bytes = Buffer.from(file)
  bytes.write('avif', at, 'latin1')
  return bytes
}

/** The largest picture named by the file's item properties (`ispe`, ISO/IEC 23008-12); undefined when there is none. */
export function largestAvifItem(file: Uint8Array): Size | undefined {
  let largest: Size | undefined
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  for (const { type, at, end } of boxesIn(file, ['meta', 'iprp', 'ipco'])) {
    if (type !== 'ispe' || at + 20 > end) continue
    const size = { width: view.getUint32(at + 12), height: view.getUint32(at + 16) }
    if (largest === undefined || pixels(size) > pixels(largest)) largest = size
  }
  return largest
}

/** Whether the transparency is multiplied into the colours (a reference `prem`, ISO/IEC 23008-12, 6.10.1). */
function isPremultiplied(file: Uint8Array): boolean {
  return boxesIn(file, ['meta', 'iref']).some(({ type }) => type === 'prem')
}

/**
 * Whether all pictures are grey and black is 16, white 235, according to the codec's configuration (`av1C`, AV1-ISOBMFF
 * 2.3.3) and the colours (`colr`, ISO/IEC 14496-12, 12.1.5). The decoder widens the range of coloured pictures only.
 */
function isNarrowGrey(file: Uint8Array): boolean {
  const properties = boxesIn(file, ['meta', 'iprp', 'ipco'])
  const configurations = properties.filter(({ type }) => type === 'av1C')
  const isGrey = configurations.every(({ at }) => (file[at + 10]! & 0x10) !== 0)
  const isNarrow = properties.some(
    ({ type, at, end }) =>
      type === 'colr' &&
      asciiAt(file, at + 8) === 'nclx' &&
      at + 19 <= end &&
      (file[at + 18]! & 0x80) === 0,
  )
  return configurations.length > 0 && isGrey && isNarrow
}

interface Box {
  readonly type: string
  /** Position of its header. */
  readonly at: number
  readonly end: number
}

/** Boxes whose content follows four bytes of version and flags. */
const versionedBoxes: ReadonlySet<string> = new Set(['meta', 'iref'])

/** The boxes within all boxes at this path (ISO/IEC 14496-12, 4.2), as far as they follow each other. */
function boxesIn(file: Uint8Array, path: readonly string[]): Box[] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  const found: Box[] = []
  let looked = 0
  const walk = (start: number, end: number, rest: readonly string[]) => {
    for (let at = start; at + 8 <= end && ++looked <= maxBoxes;) {
      const length = view.getUint32(at)
      const boxEnd = length === 0 ? end : at + length
      if (length === 1 || boxEnd < at + 8 || boxEnd > end) return
      const type = asciiAt(file, at + 4)
      if (rest.length === 0) found.push({ type, at, end: boxEnd })
      if (type === rest[0]) walk(at + (versionedBoxes.has(type) ? 12 : 8), boxEnd, rest.slice(1))
      at = boxEnd
    }
  }
  walk(0, file.length, path)
  return found
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
