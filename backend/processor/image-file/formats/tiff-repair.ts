import type { Edit, TiffDirectory } from './tiff-directory.ts'

/** The range of a tag's values, and its default (TIFF 6.0). */
interface Rule {
  readonly least: number
  readonly most: number
  readonly usual: number
}

const rules: ReadonlyMap<number, Rule> = new Map([
  [266, { least: 1, most: 2, usual: 1 }], // order of the bits in a byte
  [274, { least: 1, most: 8, usual: 1 }], // orientation
  [278, { least: 1, most: Infinity, usual: 0xffffffff }], // rows per strip
  [284, { least: 1, most: 2, usual: 1 }], // planes
  [296, { least: 1, most: 3, usual: 2 }], // unit of the resolution
  [339, { least: 1, most: 6, usual: 1 }], // numbers that the samples are
])

/** Values of a tag that are inspected: one for each sample of a pixel. */
const maxValues = 64

/**
 * A TIFF that our decoder reads like more lenient ones: unknown values are replaced by the default of their tag
 * (scanners write an orientation of 0), and the first picture becomes the only one, since the others may be anywhere,
 * even beyond the end of the file.
 */
export function repairTiff(directory: TiffDirectory): Uint8Array {
  const edits: Edit[] = []
  for (const [tag, { least, most, usual }] of rules) {
    for (const place of directory.places(tag, maxValues)) {
      const value = directory.numberAt(place)
      if (value < least || value > most) edits.push({ ...place, value: usual })
    }
  }
  const { next } = directory
  if (next !== undefined && directory.numberAt(next) !== 0) edits.push({ ...next, value: 0 })
  return directory.edited(edits)
}
