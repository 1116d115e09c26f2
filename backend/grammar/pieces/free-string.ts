import type { StringTables } from '../grammar.ts'
import { betweenCharacters, closed, leastInCharacter, stringTable } from './json-string.ts'
import type { StringPiece } from './piece.ts'

/** States are those of `json-string.ts`, with the number of characters begun in the bits above. */
const stateBits = 5
const stateMask = (1 << stateBits) - 1

/** Before the opening quote. */
const unopened = stateMask

const quote = 0x22

/** Any string with an allowed number of characters. */
export class FreeString implements StringPiece {
  readonly start = unopened
  readonly closed = closed
  readonly min: number
  readonly max: number
  /** Without limits there is nothing to count. */
  readonly #counts: boolean

  constructor({ min, max }: StringTables) {
    this.min = min
    this.max = max
    this.#counts = min > 0 || max < Infinity
  }

  step(state: number, byte: number): number {
    const inner = state & stateMask
    if (inner === unopened) return byte === quote ? betweenCharacters : -1
    const count = state >> stateBits
    if (inner !== betweenCharacters) {
      const next = stringTable[(inner << 8) | byte]!
      return next < 0 ? -1 : next | (count << stateBits)
    }
    const next = stringTable[byte]!
    if (next < 0 || !this.#counts) return next
    if (next === closed) return count < this.min ? -1 : closed
    // Without a maximum, characters beyond the required ones do not matter.
    if (this.max === Infinity) return next | (Math.min(count + 1, this.min) << stateBits)
    return count < this.max ? next | ((count + 1) << stateBits) : -1
  }

  isDone(state: number): boolean {
    return state === closed
  }

  goesOn(state: number): boolean {
    return state !== closed
  }

  isInside(state: number): boolean {
    return state !== closed && state !== unopened
  }

  /** Whether a state is inside the string and between two characters. */
  isBetween(state: number): boolean {
    return (state & stateMask) === betweenCharacters
  }

  /** Characters begun, up to the number that is counted. */
  countOf(state: number): number {
    return state >> stateBits
  }

  least(state: number): number {
    const inner = state & stateMask
    if (inner === unopened) return 2 + this.min
    if (inner === closed) return 0
    return leastInCharacter[inner]! + Math.max(0, this.min - (state >> stateBits)) + 1
  }
}
