import type { Settled } from '../../grammar/constraint.ts'
import type { GenerateJob } from '../job.ts'

/** Decides which tokens may be picked next. One per answer; it follows what was picked. */
export interface TokenRule {
  /** Does what it can for the next token before its logits are there. */
  prepare(): void
  /**
   * Leaves the logits of those tokens at the front of the row, in order of their ids. Others may be among them, too small to
   * be drawn. @returns that front, never empty
   */
  pack(logits: Float32Array): Float32Array
  /** Says of single tokens whether they may be picked next, until one is. */
  filter(): (id: number) => boolean
  /** The id at an index of the packed row. */
  idAt(position: number): number
  /** The index in the packed row of an id that may be picked. */
  positionOf(id: number): number
  /**
   * Accepts the picked token.
   * @param tokensLeft that the answer may still have, including this one
   * @returns the token, or another allowed one that replaces it
   */
  settle(picked: number, tokensLeft: number): Settled
}

/** All text, and the control tokens that end an answer. */
export class AnyText implements TokenRule {
  /** Tokens of a short whole answer: an empty text is one. */
  readonly leastTokens = 0
  readonly #controlIdsFrom: number
  /** In ascending order. */
  readonly #controlStops: readonly number[]

  constructor({ stopIds, controlIdsFrom }: Pick<GenerateJob, 'stopIds' | 'controlIdsFrom'>) {
    this.#controlIdsFrom = controlIdsFrom
    this.#controlStops = [...new Set(stopIds)]
      .filter((id) => id >= controlIdsFrom)
      .toSorted((a, b) => a - b)
  }

  prepare(): void {
    // Nothing takes time.
  }

  pack(logits: Float32Array): Float32Array {
    const [from, stops] = [this.#controlIdsFrom, this.#controlStops]
    for (let i = 0; i < stops.length; i++) logits[from + i] = logits[stops[i]!]!
    return logits.subarray(0, from + stops.length)
  }

  filter(): (id: number) => boolean {
    return (id) => id < this.#controlIdsFrom || this.#controlStops.includes(id)
  }

  idAt(position: number): number {
    return position < this.#controlIdsFrom
      ? position
      : this.#controlStops[position - this.#controlIdsFrom]!
  }

  positionOf(id: number): number {
    return id < this.#controlIdsFrom ? id : this.#controlIdsFrom + this.#controlStops.indexOf(id)
  }

  settle(picked: number): Settled {
    return { id: picked }
  }
}
