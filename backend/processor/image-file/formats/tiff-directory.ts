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

/** Where an integer of the file is. */
interface Place {
  readonly at: number
  readonly bytes: number
}

/** An integer to be written over another one. */
export interface Edit extends Place {
  readonly value: number
}

/** The first directory of a TIFF or BigTIFF file: the values of its tags, as integers. */
export class TiffDirectory {
  readonly #file: Uint8Array
  readonly #view: DataView
  readonly #littleEndian: boolean
  readonly #entries: ReadonlyMap<number, Entry>
  /** The position of the second directory, which is 0 when there is none; undefined when the file ends before it. */
  readonly next: Place | undefined

  private constructor(
    file: Uint8Array,
    littleEndian: boolean,
    entries: ReadonlyMap<number, Entry>,
    next: Place,
  ) {
    this.#file = file
    this.#view = new DataView(file.buffer, file.byteOffset, file.byteLength)
    this.#littleEndian = littleEndian
    this.#entries = entries
    this.next = next.at + next.bytes <= file.length ? next : undefined
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
    const end = start + layout.countBytes + count * layout.entryBytes
    const next = { at: end, bytes: layout.inlineBytes }
    return new TiffDirectory(file, littleEndian, entries, next)
  }

  /** The tag's values, as far as they lie within the file; empty when it is absent. @param most values to read */
  numbers(tag: number, most: number): number[] {
    return this.places(tag, most).map((place) => this.numberAt(place))
  }

  /** Where the tag's values are. Parameters as in `numbers` */
  places(tag: number, most: number): Place[] {
    const entry = this.#entries.get(tag)
    if (entry === undefined) return []
    const { at, bytesEach: bytes } = entry
    const within = Math.max(0, Math.floor((this.#view.byteLength - at) / bytes))
    return Array.from({ length: Math.min(entry.count, within, most) }, (_, index) => {
      return { at: at + index * bytes, bytes }
    })
  }

  numberAt({ at, bytes }: Place): number {
    return readUint(this.#view, at, bytes, this.#littleEndian)
  }

  /** The file with these integers, each of at most 32 bits; the file itself when there are none. */
  edited(edits: readonly Edit[]): Uint8Array {
    if (edits.length === 0) return this.#file
    const file = Uint8Array.from(this.#file)
    for (const { at, bytes, value } of edits) {
      for (let index = 0; index < bytes; index++) {
        const place = this.#littleEndian ? index : bytes - 1 - index
        file[at + place] = index < 4 ? (value >>> (8 * index)) & 0xff : 0
      }
    }
    return file
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
