import type { PatternString } from '../../pieces/pattern-string.ts'
import type { LabelGroups } from './label-groups.ts'

/** Labels in a row that are looked at: few tokens have more characters. */
const mostLabels = 12

/** Sizes of a DFA up to which it is looked at: two milliseconds, and 0.4 MB. */
const mostCells = 65_536
const mostStates = 4_096

/**
 * Which groups of labels a pattern may refuse within a few labels. Where it refuses none of those that occur, whole parts of
 * the tokens' trie are allowed without visiting them.
 */
export class RefusedGroups {
  readonly #piece: PatternString
  readonly #groups: LabelGroups
  /** By label, as `CharacterTrie.reads`. */
  readonly #reads: Int16Array
  readonly #isSmall: boolean
  /** Made when needed, as patterns are often left before. */
  #found: Found | undefined

  constructor(piece: PatternString, groups: LabelGroups, reads: Int16Array) {
    this.#piece = piece
    this.#groups = groups
    this.#reads = reads
    const { table, accepting } = piece.tables
    this.#isSmall = table.length <= mostCells && accepting.length <= mostStates
  }

  get bytes(): number {
    return this.#found?.bytes ?? 0
  }

  /**
   * Whether all labels at a node of the trie and below are allowed; false where that is not known.
   * @param state node of the DFA before them
   */
  allowsAll(state: number, at: number): boolean {
    const { within } = this.#groups
    const labels = within[4 * at + 2]!
    if (!this.#isSmall || labels > mostLabels) return false
    this.#found ??= new Found(this.#piece, this.#groups, this.#reads)
    const { words } = this.#found
    const cell = this.#found.cellOf(state, labels)
    return (words[cell]! & within[4 * at]!) === 0 && (words[cell + 1]! & within[4 * at + 1]!) === 0
  }
}

/** Those that were looked for so far. */
class Found {
  /** [states, labels, 2] */
  readonly words: Int32Array
  readonly #isKnown: Uint8Array
  readonly #piece: PatternString
  /** Two words each, of the groups that have one of these labels: of a class, of a partial character, of neither. */
  readonly #ofClass: Int32Array
  readonly #ofPartial: Int32Array
  readonly #ofNone = new Int32Array(2)

  constructor(piece: PatternString, { ofLabel }: LabelGroups, reads: Int16Array) {
    const { classes, accepting, decoder } = piece.tables
    this.#piece = piece
    this.words = new Int32Array(2 * mostLabels * accepting.length)
    this.#isKnown = new Uint8Array(mostLabels * accepting.length)
    this.#ofClass = new Int32Array(2 * classes)
    this.#ofPartial = new Int32Array((2 * decoder.least.length) / classes)
    for (const [label, read] of reads.entries()) {
      const group = ofLabel[label]!
      const bit = 1 << (group & 31)
      if (read === -1) this.#ofNone[group >> 5]! |= bit
      else if (read < 0) this.#ofClass[2 * (-2 - read) + (group >> 5)]! |= bit
      else this.#ofPartial[2 * read + (group >> 5)]! |= bit
    }
  }

  get bytes(): number {
    const arrays = [this.words, this.#isKnown, this.#ofClass, this.#ofPartial]
    return arrays.reduce((sum, { byteLength }) => sum + byteLength, 0)
  }

  /** Index of the two words for so many labels after a node of the DFA. */
  cellOf(state: number, labels: number): number {
    const cell = state * mostLabels + labels - 1
    if (this.#isKnown[cell] === 0) {
      this.#isKnown[cell] = 1
      if (labels === 1) this.#addOwn(state, 2 * cell)
      else this.#addFurther(state, labels, 2 * cell)
    }
    return 2 * cell
  }

  #addOwn(state: number, cell: number): void {
    const { classes, table } = this.#piece.tables
    this.#add(cell, this.#ofNone, 0)
    for (let index = 0; index < classes; index++)
      if (table[state * classes + index]! < 0) this.#add(cell, this.#ofClass, 2 * index)
    for (let read = 0; 2 * read < this.#ofPartial.length; read++)
      if (!this.#piece.mayBecome(state, read)) this.#add(cell, this.#ofPartial, 2 * read)
  }

  #addFurther(state: number, labels: number, cell: number): void {
    const { classes, table } = this.#piece.tables
    this.#add(cell, this.words, this.cellOf(state, 1))
    for (let index = 0; index < classes; index++) {
      const next = table[state * classes + index]!
      if (next >= 0) this.#add(cell, this.words, this.cellOf(next, labels - 1))
    }
  }

  #add(cell: number, words: Int32Array, from: number): void {
    this.words[cell]! |= words[from]!
    this.words[cell + 1]! |= words[from + 1]!
  }
}
