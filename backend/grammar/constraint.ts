import type { Grammar } from './grammar.ts'
import { sizeOf } from './grammar-size.ts'
import { clearBit, idAt, packRow, placeOf, setBit } from './masks/bits.ts'
import { TokenMasks } from './masks/token-masks.ts'
import type { Vocabulary } from './masks/vocabulary.ts'
import { Automaton } from './stacks/automaton.ts'
import type { Standing } from './stacks/frames.ts'

/** A grammar made ready for a vocabulary. */
export class PreparedGrammar {
  readonly automaton: Automaton
  readonly masks: TokenMasks
  readonly vocabulary: Vocabulary
  readonly #tableBytes: number

  constructor(grammar: Grammar, vocabulary: Vocabulary) {
    this.vocabulary = vocabulary
    this.#tableBytes = sizeOf(grammar)
    this.automaton = new Automaton(grammar)
    this.masks = new TokenMasks(vocabulary, this.automaton)
  }

  /** Bytes, roughly. */
  get size(): number {
    return this.#tableBytes + this.masks.bytes
  }
}

/** What becomes of a token that was picked. */
export interface Settled {
  /** The token itself, or the one that takes its place. */
  readonly id: number
  /** Whether the text may end behind it, or has to; else it goes on. */
  readonly end?: 'may' | 'must' | undefined
}

/** Holds one answer to its grammar: which tokens may come next, and where the answer stands. */
export class Constraint {
  readonly #grammar: PreparedGrammar
  readonly #stopIds: readonly number[]
  readonly #mask: Int32Array
  #standing: Standing
  /** What is left of an ending that is being written since tokens run out. */
  #closing: number[] = []

  /** @param stopIds end the answer where its text may end */
  constructor(grammar: PreparedGrammar, stopIds: readonly number[]) {
    this.#grammar = grammar
    this.#stopIds = stopIds
    this.#mask = new Int32Array(grammar.vocabulary.words)
    this.#standing = grammar.automaton.start
  }

  /** Moves the allowed logits to the front of the row, in the order of their ids. @returns that front, never empty */
  pack(logits: Float32Array): Float32Array {
    this.#fill()
    return logits.subarray(0, packRow(logits, this.#mask))
  }

  /** The id of a place in the packed row. */
  idAt(place: number): number {
    return idAt(this.#mask, place)
  }

  /** The place in the packed row of an id that is allowed. */
  placeOf(id: number): number {
    return placeOf(this.#mask, id)
  }

  /**
   * Takes the token that was picked; or, where after it the text could no longer be brought to an end in time, the first one
   * of a short ending, which is written from then on.
   * @param picked one of those that `pack` let through
   * @param tokensLeft that the answer may still have, this one counted
   */
  settle(picked: number, tokensLeft: number): Settled {
    if (this.#stopIds.includes(picked)) return { id: picked, end: 'must' }
    const next = this.#after(picked)
    if (this.#closing.length > 0) {
      this.#closing.shift()
      return this.#take(picked, next, this.#closing.length === 0)
    }
    const fits =
      this.#endsWithin(next, tokensLeft - 1) || !this.#endsWithin(this.#standing, tokensLeft)
    if (fits) return this.#take(picked, next, next.heads.length === 0)
    return this.#beginEnding(picked)
  }

  /** @param picked cannot be taken */
  #beginEnding(picked: number): Settled {
    this.#closing = this.#endingOf(this.#standing)
    const id = this.#closing.shift()
    // The text may end here: there is nothing to add.
    if (id === undefined) return { id: this.#stopIds[0] ?? picked, end: 'must' }
    return this.#take(id, this.#after(id), this.#closing.length === 0)
  }

  #fill(): void {
    const { masks } = this.#grammar
    const forced = this.#closing[0]
    if (forced !== undefined) {
      this.#mask.fill(0)
      return setBit(this.#mask, forced)
    }
    masks.fill(this.#standing, this.#mask)
    for (const id of this.#stopIds) {
      if (this.#standing.mayEnd) setBit(this.#mask, id)
      else clearBit(this.#mask, id)
    }
  }

  #take(id: number, standing: Standing, isLast: boolean): Settled {
    this.#standing = standing
    if (!standing.mayEnd) return { id }
    return { id, end: isLast ? 'must' : 'may' }
  }

  #after(id: number): Standing {
    const { automaton, vocabulary } = this.#grammar
    let standing: Standing | undefined = this.#standing
    for (const byte of vocabulary.bytesOf(id)) standing = standing && automaton.step(standing, byte)
    if (standing === undefined) throw new RangeError(`Token ${id} is not allowed here`)
    return standing
  }

  /** Whether an ending from here takes no more tokens than that. Each takes one byte at least. */
  #endsWithin(standing: Standing, tokens: number): boolean {
    const { automaton, vocabulary } = this.#grammar
    const bytes = automaton.endings.least(standing)
    if (bytes <= tokens) return true
    return bytes <= tokens * vocabulary.longest && this.#endingOf(standing).length <= tokens
  }

  #endingOf(standing: Standing): number[] {
    const { automaton, vocabulary } = this.#grammar
    return vocabulary.tokensOf(automaton.endings.text(standing))
  }
}
