import type { KeyTables, Property } from '../grammar.ts'
import { childOf } from './literal-text.ts'
import type { Piece } from './piece.ts'

const space = 0x20

/**
 * One of the keys `from` to `to` of an object, with its colon and perhaps a space. A state is twice the node, plus 1
 * after the space.
 */
export class KeyText implements Piece {
  readonly start = 0
  readonly #tables: KeyTables
  readonly #properties: readonly Property[]
  readonly #from: number
  readonly #to: number

  /** @param to included, not less than `from` */
  constructor(
    tables: KeyTables,
    properties: readonly Property[],
    { from, to }: { readonly from: number; readonly to: number },
  ) {
    this.#tables = tables
    this.#properties = properties
    this.#from = from
    this.#to = to
  }

  step(state: number, byte: number): number {
    const node = state >> 1
    if (this.#tables.ends[node] === 1) return byte === space && state % 2 === 0 ? state + 1 : -1
    const child = childOf(this.#tables, node, byte)
    return child >= 0 && this.#firstBelow(child) <= this.#to ? child * 2 : -1
  }

  isDone(state: number): boolean {
    return this.#tables.ends[state >> 1] === 1
  }

  goesOn(state: number): boolean {
    return state % 2 === 0
  }

  /** The index of a property whose key may still come; the only one once the key is complete. */
  propertyOf(state: number): number {
    return this.#firstBelow(state >> 1)
  }

  /** Bytes to the end of the key that `propertyOf` returns. */
  least(state: number): number {
    return this.#properties[this.propertyOf(state)]!.keyBytes - this.#tables.depth[state >> 1]!
  }

  /** The first of the keys at or below a node; greater than `to` if there is none. */
  #firstBelow(node: number): number {
    const { firstBelow, below } = this.#tables
    let low = firstBelow[node]!
    let high = firstBelow[node + 1]!
    while (low < high) {
      const middle = (low + high) >> 1
      if (below[middle]! < this.#from) low = middle + 1
      else high = middle
    }
    return low < firstBelow[node + 1]! ? below[low]! : Infinity
  }
}
