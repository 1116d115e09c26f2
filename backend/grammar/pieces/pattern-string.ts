import type { PatternTables } from '../grammar.ts'
import type { StringPiece } from './piece.ts'

const quote = 0x22

/** A string accepted by a DFA. A state combines one of the DFA with one of the decoder. */
export class PatternString implements StringPiece {
  readonly start: number
  readonly closed: number
  readonly #tables: PatternTables
  readonly #decoderStates: number

  constructor(tables: PatternTables) {
    this.#tables = tables
    this.#decoderStates = tables.decoder.table.length / 256
    this.closed = tables.accepting.length * this.#decoderStates
    this.start = this.closed + 1
  }

  step(state: number, byte: number): number {
    if (state >= this.closed) return state === this.start && byte === quote ? 0 : -1
    const { classes, table, accepting, decoder } = this.#tables
    const node = Math.floor(state / this.#decoderStates)
    const within = state - node * this.#decoderStates
    if (within === 0 && byte === quote) return accepting[node] === 1 ? this.closed : -1
    const read = decoder.table[within * 256 + byte]!
    if (read === -1) return -1
    if (read < 0) {
      const target = table[node * classes - 2 - read]!
      return target < 0 ? -1 : target * this.#decoderStates
    }
    return this.#mayBecome(node, read) ? node * this.#decoderStates + read : -1
  }

  /** Whether some character that begins like this leads anywhere. */
  #mayBecome(node: number, within: number): boolean {
    const { classes, table, decoder } = this.#tables
    for (let index = 0; index < classes; index++) {
      if (table[node * classes + index]! >= 0 && decoder.least[within * classes + index]! < 255)
        return true
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

  least(state: number): number {
    const { classes, table, least, decoder } = this.#tables
    if (state === this.closed) return 0
    if (state === this.start) return 1 + least[0]!
    const node = Math.floor(state / this.#decoderStates)
    const within = state - node * this.#decoderStates
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
