/** A TIFF directory: values by their tags, all written as 32-bit numbers. */
type Entries = Readonly<Record<number, readonly number[]>>

interface TiffOptions {
  /** Samples per pixel, 8 bits each; all pixels are equal. */
  readonly pixel: readonly number[]
  readonly side?: number
  /** Further tags, and values that differ from plain RGB; undefined leaves a tag out. */
  readonly tags?: Readonly<Record<number, readonly number[] | undefined>>
  /** Bytes of the one strip, in place of raw pixels. */
  readonly strip?: Uint8Array
  /** Number of strips, all at the same position. */
  readonly strips?: number
}

/** A TIFF of one colour: little-endian, without compression, in one strip. */
export function tiffFile({
  pixel,
  side = 8,
  tags = {},
  strip,
  strips = 1,
}: TiffOptions): Uint8Array {
  const pixels =
    strip ?? Uint8Array.from(Array.from({ length: side * side }, () => [...pixel]).flat())
  const entries = {
    256: [side],
    257: [side],
    258: pixel.map(() => 8),
    259: [1],
    262: [2],
    273: Array.from({ length: strips }, () => 8),
    277: [pixel.length],
    278: [Math.ceil(side / strips)],
    279: Array.from({ length: strips }, () => pixels.length),
    ...tags,
  }
  const present = Object.entries(entries).filter(([, values]) => values !== undefined)
  return assemble(pixels, Object.fromEntries(present) as Entries)
}

/** Pixels follow the header, then values that need more than four bytes, then the directory. */
function assemble(pixels: Uint8Array, entries: Entries): Uint8Array {
  const tags = Object.keys(entries).map(Number)
  const pieces = [Buffer.from(pixels)]
  let end = 8 + pixels.length
  const rows = tags.map((tag) => {
    const values = Buffer.alloc(Math.max(4, entries[tag]!.length * 4))
    entries[tag]!.forEach((value, index) => values.writeUInt32LE(value, index * 4))
    const row = Buffer.alloc(12)
    row.writeUInt16LE(tag, 0)
    row.writeUInt16LE(4, 2)
    row.writeUInt32LE(entries[tag]!.length, 4)
    if (values.length === 4) values.copy(row, 8)
    else {
      row.writeUInt32LE(end, 8)
      pieces.push(values)
      end += values.length
    }
    return row
  })
  const head = Buffer.from('II*\0\0\0\0\0', 'latin1')
  head.writeUInt32LE(end, 4)
  const count = Buffer.alloc(2)
  count.writeUInt16LE(rows.length)
  return Buffer.concat([head, ...pieces, count, ...rows, Buffer.alloc(4)])
}
