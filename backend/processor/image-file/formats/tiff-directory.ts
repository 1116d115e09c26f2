/** Entries inspected per directory; libtiff knows about 150 tags. */
const maxEntries = 4096

/** Bytes per value of TIFF's integer types, by type (TIFF 6.0, section 2, and BigTIFF's LONG8 and IFD8). */
const valueBytes: ReadonlyMap<number, number> = new Map([
  [1, 1],
  [3, 2],
  [4, 4],
  [13, 4],
  [16, 8],
  [18, 8],
])

interface Entry {
  readonly bytesEach: number
  readonly count: number
  /** Position of its values in the file. */
  readonly at: number
}

/** The first directory of a TIFF or BigTIFF file: the values of its tags, as integers. */
export class TiffDirectory {
  readonly #view: DataView
  readonly #littleEndian: boolean
  readonly #entries: ReadonlyMap<number, Entry>

  private constructor(view: DataView, littleEndian: boolean, entries: ReadonlyMap<number, Entry>) {
    this.#view = view
    this.#littleEndian = littleEndian
    this.#entries = entries
  }

  /** @returns undefined when the directory does not lie within the file */
  static of(file: Uint8Array): TiffDirectory | undefined {
    if (file.length < 16) return undefined
    const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
    const littleEndian = file[0] === 0x49
    const isBig = view.getUint16(2, littleEndian) === 43
    const layout = isBig
      ? { countBytes: 8, entryBytes: 20, inlineBytes: 8 }
      : { countBytes: 2, entryBytes: 12, inlineBytes: 4 }
    const word = (at: number, bytes: number) => readUint(view, at, bytes, littleEndian)
    const start = isBig ? word(8, 8) : word(4, 4)
    if (start + layout.countBytes > file.length) return undefined
    const count = Math.min(word(start, layout.countBytes), maxEntries)
    const entries = new Map<number, Entry>()
    for (let index = 0; index < count; index++) {
      const at = start + layout.countBytes + index * layout.entryBytes
      if (at + layout.entryBytes > file.length) return undefined
      const bytesEach = valueBytes.get(word(at + 2, 2))
      const tag = word(at, 2)
      // If a tag occurs twice, libtiff uses the first one.
      if (bytesEach === undefined || entries.has(tag)) continue
      const values = word(at + 4, layout.inlineBytes)
      const inline = at + 4 + layout.inlineBytes
      const isInline = values * bytesEach <= layout.inlineBytes
      entries.set(tag, {
        bytesEach,
        count: values,
        at: isInline ? inline : word(inline, layout.inlineBytes),
      })
    }
    return new TiffDirectory(view, littleEndian, entries)
  }

  /** The tag's values, as far as they lie within the file; empty when it is absent. @param most values to read */
  numbers(tag: number, most: number): number[] {
    const entry = this.#entries.get(tag)
    if (entry === undefined) return []
    const { at, bytesEach } = entry
    const within = Math.max(0, Math.floor((this.#view.byteLength - at) / bytesEach))
    return Array.from({ length: Math.min(entry.count, within, most) }, (_, index) =>
      readUint(this.#view, at + index * bytesEach, bytesEach, this.#littleEndian),
    )
  }

  /** The tag's first value. */
  number(tag: number): number | undefined {
    return this.numbers(tag, 1)[0]
  }
}

function readUint(view: DataView, at: number, bytes: number, littleEndian: boolean): number {
  switch (bytes) {
    case 1:
      return view.getUint8(at)
    case 2:
      return view.getUint16(at, littleEndian)
    case 4:
      return view.getUint32(at, littleEndian)
    default:
      // No file is large enough for the rounding of such a number to matter.
      return Number(view.getBigUint64(at, littleEndian))
  }
}
