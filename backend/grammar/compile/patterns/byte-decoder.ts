/**
 * Decodes bytes within a JSON string to classes of characters: strict UTF-8 (RFC 3629), raw except for quote,
 * backslash and control characters, which are escaped in the shortest way.
 */
import type { DecoderTables } from '../../grammar.ts'
import type { CharacterDfa } from './character-classes.ts'

/** The classes of characters to decode to. */
type CharacterClasses = Pick<CharacterDfa, 'count' | 'starts' | 'classes'>

/** Larger tables are rejected: 512 bytes per row. */
const maxRows = 3_000

const [quote, backslash] = [0x22, 0x5c]
const [firstSurrogate, lastSurrogate] = [0xd800, 0xdfff]

/** By the letter after a backslash. */
const shortEscapes: readonly (readonly [letter: string, codePoint: number])[] = [
  ['"', quote],
  ['\\', backslash],
  ['b', 0x08],
  ['f', 0x0c],
  ['n', 0x0a],
  ['r', 0x0d],
  ['t', 0x09],
]

/** UTF-8 by number of bytes: the first byte's bits before those of the code point, and the first code point. */
const lengths = [
  { bytes: 2, mark: 0xc0, from: 0x80, to: 0x7ff },
  { bytes: 3, mark: 0xe0, from: 0x800, to: 0xffff },
  { bytes: 4, mark: 0xf0, from: 0x1_0000, to: 0x10_ffff },
]

/** @throws {RangeError} with a message for the author of the pattern, when it distinguishes too many characters */
export function decoderOf(classes: CharacterClasses): DecoderTables {
  const builder = new DecoderBuilder(classes)
  return { table: builder.table(), least: builder.least() }
}

class DecoderBuilder {
  readonly #classes: CharacterClasses
  /** Each [256]; the first is that of state 0. */
  readonly #rows: Int16Array[] = []
  readonly #known = new Map<string, number>()
  /** Rows of blocks of one class, by class and bytes left. */
  readonly #even = new Map<number, number>()

  constructor(classes: CharacterClasses) {
    this.#classes = classes
    const top = new Int16Array(256).fill(-1)
    this.#rows.push(top)
    for (let byte = 0x20; byte < 0x80; byte++) {
      if (byte !== quote && byte !== backslash) top[byte] = this.#complete(byte)
    }
    top[backslash] = this.#escapes()
    for (const { bytes, mark, from, to } of lengths) {
      const size = 64 ** (bytes - 1)
      for (let block = Math.floor(from / size); block * size <= to; block++) {
        top[mark | block] = this.#block(block, bytes - 1, from)
      }
    }
  }

  table(): Int16Array {
    const table = new Int16Array(this.#rows.length * 256)
    for (const [state, row] of this.#rows.entries()) table.set(row, state * 256)
    return table
  }

  /** Rows lead to rows made before them, except for the first. */
  least(): Uint8Array {
    const { count } = this.#classes
    const least = new Uint8Array(this.#rows.length * count).fill(255)
    const states = [...this.#rows.keys()].slice(1)
    for (const state of [...states, 0]) {
      for (const target of this.#rows[state]!) {
        if (target < -1) least[state * count - 2 - target] = 1
        if (target < 0) continue
        for (let index = 0; index < count; index++) {
          const way = least[target * count + index]! + 1
          if (way < least[state * count + index]!) least[state * count + index] = way
        }
      }
    }
    return least
  }

  #classOf(codePoint: number): number {
    const isSurrogate = codePoint >= firstSurrogate && codePoint <= lastSurrogate
    return isSurrogate ? -1 : this.#classes.classes[this.#intervalOf(codePoint)]!
  }

  #intervalOf(codePoint: number): number {
    const { starts } = this.#classes
    let [low, high] = [0, starts.length - 1]
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if (starts[middle]! <= codePoint) low = middle
      else high = middle - 1
    }
    return low
  }

  #complete(codePoint: number): number {
    const index = this.#classOf(codePoint)
    return index < 0 ? -1 : -2 - index
  }

  /**
   * The row of the code points that begin with `prefix` and have `left` more bytes of six bits.
   * @param least smaller code points must not be encoded in this many bytes
   * @returns its number, or -1 when it leads nowhere
   */
  #block(prefix: number, left: number, least: number): number {
    const first = prefix * 64 ** left
    const last = first + 64 ** left - 1
    const isPlain =
      first >= least && last <= 0x10_ffff && (last < firstSurrogate || first > lastSurrogate)
    if (isPlain && this.#intervalOf(first) === this.#intervalOf(last))
      return this.#evenBlock(first, left)
    const row = new Int16Array(256).fill(-1)
    for (let bits = 0; bits < 64; bits++) {
      const value = prefix * 64 + bits
      if ((value + 1) * 64 ** (left - 1) <= least || value * 64 ** (left - 1) > 0x10_ffff) continue
      row[0x80 | bits] = left === 1 ? this.#complete(value) : this.#block(value, left - 1, least)
    }
    return this.#add(row)
  }

  /** All its code points belong to one class. */
  #evenBlock(codePoint: number, left: number): number {
    const name = this.#classOf(codePoint) * 4 + left
    const known = this.#even.get(name)
    if (known !== undefined) return known
    const inner = left === 1 ? this.#complete(codePoint) : this.#evenBlock(codePoint, left - 1)
    const row = this.#add(new Int16Array(256).fill(-1).fill(inner, 0x80, 0xc0))
    this.#even.set(name, row)
    return row
  }

  #escapes(): number {
    const row = new Int16Array(256).fill(-1)
    for (const [letter, codePoint] of shortEscapes)
      row[letter.charCodeAt(0)] = this.#complete(codePoint)
    const short = new Set(shortEscapes.map(([, codePoint]) => codePoint))
    const controls = Array.from({ length: 0x20 }, (_, codePoint) => codePoint).filter(
      (one) => !short.has(one),
    )
    row['u'.charCodeAt(0)] = this.#hex(controls, '')
    return this.#add(row)
  }

  /** @param written how many of the four hexadecimal digits, so far */
  #hex(codePoints: readonly number[], written: string): number {
    const row = new Int16Array(256).fill(-1)
    for (const digit of '0123456789abcdef') {
      const begun = written + digit
      const left = codePoints.filter((one) => one.toString(16).padStart(4, '0').startsWith(begun))
      if (left.length === 0) continue
      row[digit.charCodeAt(0)] =
        begun.length === 4 ? this.#complete(left[0]!) : this.#hex(left, begun)
    }
    return this.#add(row)
  }

  #add(row: Int16Array): number {
    if (row.every((target) => target === -1)) return -1
    const name = row.join()
    const known = this.#known.get(name)
    if (known !== undefined) return known
    if (this.#rows.length === maxRows)
      throw new RangeError('a pattern that distinguishes too many characters')
    const number = this.#rows.push(row) - 1
    this.#known.set(name, number)
    return number
  }
}
