import type { PatternTables } from '../grammar.ts'

/** Characters up to which states are compared: apart from words of letters, hardly any token is longer. */
const mostCharacters = 8

/** States times classes of a pattern that is compared: one or two milliseconds. */
const mostCells = 8_192

/**
 * Which states of a pattern allow the same texts up to some length (Moore 1956): the masks of states that count
 * characters differ only in tokens that are longer than the remaining length, so most tokens need not be inspected.
 */
export class StateBlocks {
  /** Up to that length. */
  readonly bytes: number
  readonly #tables: PatternTables
  /** Computed when needed: patterns are often left after one state. */
  #made: Blocks | undefined

  constructor(tables: PatternTables) {
    this.#tables = tables
    this.bytes = isSmall(tables) ? 2 * mostCharacters * tables.accepting.length : 0
  }

  /** Whether two states are known to allow the same texts of at most this many characters. */
  agree(one: number, other: number, characters: number): boolean {
    if (one === other || characters === 0) return true
    const { upTo, isFinal } = (this.#made ??= blocksOf(this.#tables))
    const blocks = upTo[characters - 1] ?? (isFinal ? upTo.at(-1) : undefined)
    return blocks !== undefined && blocks[one] === blocks[other]
  }
}

interface Blocks {
  /** By number of characters, less one: the block of each state. States of one block allow the same texts. */
  readonly upTo: readonly Uint16Array[]
  /** Whether states of the last blocks allow the same texts of any number of characters. */
  readonly isFinal: boolean
}

function isSmall({ table }: PatternTables): boolean {
  return table.length <= mostCells
}

function blocksOf(tables: PatternTables): Blocks {
  const { table, classes, accepting } = tables
  const upTo: Uint16Array[] = []
  let latest: Uint16Array = new Uint16Array(accepting.length)
  let [count, before] = [1, 0]
  while (isSmall(tables) && count > before && upTo.length < mostCharacters) {
    before = count
    latest = split(table, classes, latest)
    count = latest.reduce((most, block) => Math.max(most, block + 1), 0)
    upTo.push(latest)
  }
  return { upTo, isFinal: count === before }
}

/** @returns blocks of states that lead to the same blocks */
function split(table: Int32Array, classes: number, blocks: Uint16Array): Uint16Array {
  const finer = new Uint16Array(blocks.length)
  for (let index = 0; index < classes; index++) {
    const numbers = new Map<number, number>()
    for (let state = 0; state < blocks.length; state++) {
      const target = table[state * classes + index]!
      const name = finer[state]! * (blocks.length + 1) + (target < 0 ? 0 : blocks[target]! + 1)
      let number = numbers.get(name)
      if (number === undefined) numbers.set(name, (number = numbers.size))
      finer[state] = number
    }
  }
  return finer
}
