import type { NumberTables } from '../grammar.ts'
import type { Piece } from './piece.ts'

const symbols = 12

/** The column of a byte in a number's table, or -1. */
const columns = new Int8Array(256).fill(-1)
for (let digit = 0; digit < 10; digit++) columns[0x30 + digit] = digit
columns[0x2d] = 10
columns[0x2e] = 11

/** A number within bounds. */
export class NumberText implements Piece {
  readonly start = 0
  readonly #tables: NumberTables

  constructor(tables: NumberTables) {
    this.#tables = tables
  }

  step(state: number, byte: number): number {
    const column = columns[byte]!
    return column < 0 ? -1 : this.#tables.table[state * symbols + column]!
  }

  isDone(state: number): boolean {
    return this.#tables.accepting[state] === 1
  }

  goesOn(state: number): boolean {
    const { table } = this.#tables
    for (let at = state * symbols; at < (state + 1) * symbols; at++)
      if (table[at]! >= 0) return true
    return false
  }

  least(state: number): number {
    return this.#tables.least[state]!
  }
}
