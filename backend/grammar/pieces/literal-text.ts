import type { LiteralTables, TrieTables } from '../grammar.ts'
import type { Piece } from './piece.ts'

/** @returns the child of a node, or -1 */
export function childOf(
  { firstEdge, edgeBytes, edgeTargets }: TrieTables,
  node: number,
  byte: number,
): number {
  let low = firstEdge[node]!
  let high = firstEdge[node + 1]! - 1
  while (low <= high) {
    const middle = (low + high) >> 1
    const found = edgeBytes[middle]!
    if (found === byte) return edgeTargets[middle]!
    if (found < byte) low = middle + 1
    else high = middle - 1
  }
  return -1
}

/** One of several texts. */
export class LiteralText implements Piece {
  readonly start = 0
  readonly #tables: LiteralTables

  constructor(tables: LiteralTables) {
    this.#tables = tables
  }

  step(state: number, byte: number): number {
    return childOf(this.#tables, state, byte)
  }

  isDone(state: number): boolean {
    return this.#tables.ends[state] === 1
  }

  goesOn(state: number): boolean {
    return this.#tables.firstEdge[state + 1]! > this.#tables.firstEdge[state]!
  }

  least(state: number): number {
    return this.#tables.least[state]!
  }

  bytesAt(state: number): Uint8Array {
    const { firstEdge, edgeBytes } = this.#tables
    return edgeBytes.subarray(firstEdge[state], firstEdge[state + 1])
  }
}
