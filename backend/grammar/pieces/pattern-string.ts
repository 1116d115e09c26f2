import type { PatternTables } from '../grammar.ts'
import type { StringPiece } from './piece.ts'

const quote = 0x22

/**
 * A string accepted by a DFA. A state is a node of the DFA, with a state of the decoder in its lower bits. Building a
 * mask steps through hundreds of thousands of bytes, hence the shifts and bit sets.
 */
export class PatternString implements StringPiece {
  readonly start: number
  readonly closed: number
  readonly tables: PatternTables
  readonly #classes: number
  readonly #nodes: Int32Array
  readonly #decoder: Int16Array
  /** Bits of the decoder's state. */
  readonly #bits: number
  /**
   * [nodes, words] the classes with a transition, and [decoder states, words] those a character may still belong to.
   */
  readonly #live: Int32Array
  readonly #open: Int32Array
  readonly #words: number

  constructor(tables: PatternTables) {
    this.tables = copyOf(tables)
    const { classes, table, accepting, decoder } = this.tables
    this.#classes = classes
    this.#nodes = table
    this.#decoder = decoder.table
    this.#words = Math.ceil(classes / 32)
    this.#live = bitsOf(classes, table.length / classes, (cell) => table[cell]! >= 0)
    this.#open = bitsOf(
      classes,
      decoder.least.length / classes,
      (cell) => decoder.least[cell]! < 255,
    )
    this.#bits = 32 - Math.clz32(decoder.table.length / 256)
    this.closed = accepting.length << this.#bits
    this.start = this.closed + 1
  }

  step(state: number, byte: number): number {
    if (state >= this.closed) return state === this.start && byte === quote ? 0 : -1
    const bits = this.#bits
    const node = state >> bits
    const within = state & ((1 << bits) - 1)
    const read = this.#decoder[(within << 8) | byte]!
    if (read < -1) {
      const target = this.#nodes[node * this.#classes - 2 - read]!
      return target < 0 ? -1 : target << bits
    }
    if (read >= 0) return this.mayBecome(node, read) ? (node << bits) | read : -1
    const closes = byte === quote && within === 0 && this.tables.accepting[node] === 1
    return closes ? this.closed : -1
  }

  /**
   * Whether any character has a transition from a node.
   * @param within the decoder's state after the character's first bytes
   */
  mayBecome(node: number, within: number): boolean {
    const words = this.#words
    for (let word = 0; word < words; word++) {
      if ((this.#live[node * words + word]! & this.#open[within * words + word]!) !== 0) return true
    }
    return false
  }

  isDone(state: number): boolean {
    return state === this.closed
  }

  goesOn(state: number): boolean {
    return state !== this.closed
  }

  isInside(state: number): boolean {
    return state < this.closed
  }

  /** Whether a state lies between two characters. */
  isBetween(state: number): boolean {
    return state < this.closed && (state & ((1 << this.#bits) - 1)) === 0
  }

  /** Whether every character may follow a state between two characters, and every character after that. */
  isFree(state: number): boolean {
    return this.tables.free[this.nodeOf(state)] === 1
  }

  /** The node of the DFA in a state between the quotes. */
  nodeOf(state: number): number {
    return state >> this.#bits
  }

  /** The state between two characters at a node of the DFA. */
  stateOf(node: number): number {
    return node << this.#bits
  }

  least(state: number): number {
    const { classes, table, least, decoder } = this.tables
    if (state === this.closed) return 0
    if (state === this.start) return 1 + least[0]!
    const node = state >> this.#bits
    const within = state & ((1 << this.#bits) - 1)
    if (within === 0) return least[node]!
    let fewest = Infinity
    for (let index = 0; index < classes; index++) {
      const target = table[node * classes + index]!
      const bytes = decoder.least[within * classes + index]!
      if (target >= 0 && bytes < 255) fewest = Math.min(fewest, bytes + least[target]!)
    }
    return fewest
  }
}

/**
 * The same arrays in an object of the same hidden class, whether it was received from another process or not: V8 discards
 * loops that were compiled for another one, so the warm-up would be in vain.
 */
function copyOf(tables: PatternTables): PatternTables {
  const { classes, table, accepting, free, least, decoder, regions } = tables
  return {
    kind: 'pattern',
    classes,
    table,
    accepting,
    free,
    least,
    decoder: { table: decoder.table, least: decoder.least },
    regions: { ofState: regions.ofState, classes: regions.classes },
  }
}

/** [rows, words]: the columns of each row for which `has` returns true. */
function bitsOf(columns: number, rows: number, has: (cell: number) => boolean): Int32Array {
  const words = Math.ceil(columns / 32)
  const bits = new Int32Array(rows * words)
  for (let cell = 0; cell < rows * columns; cell++) {
    const column = cell % columns
    if (has(cell)) bits[Math.floor(cell / columns) * words + (column >> 5)]! |= 1 << (column & 31)
  }
  return bits
}
