import type { Grammar } from './grammar.ts'
import { sizeOf } from './grammar-size.ts'
import { maxEndingBytes } from './limits.ts'
import {
  blocksFor,
  clearBit,
  excludeFrom,
  hasBit,
  idAt,
  isDense,
  positionOf,
  setBit,
} from './masks/bits.ts'
import { packRow } from './masks/kernel/pack-row.ts'
import { TokenMasks } from './masks/token-masks.ts'
import type { Vocabulary } from './masks/vocabulary.ts'
import { Automaton } from './stacks/automaton.ts'
import type { Standing } from './stacks/frames.ts'

/** A grammar prepared for a vocabulary. */
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

  /** Approximate size in bytes. */
  get size(): number {
    return this.#tableBytes + this.masks.bytes
  }
}

/** The outcome of picking a token. */
export interface Settled {
  /** The token itself, or the one that replaces it. */
  readonly id: number
  /** Whether the text may or must end after it; otherwise the text continues. */
  readonly end?: 'may' | 'must' | undefined
}

/** Keeps one answer within its grammar: which tokens may come next, and the position of the answer. */
export class Constraint {
  readonly #grammar: PreparedGrammar
  readonly #stopIds: readonly number[]
  readonly #mask: Int32Array
  /** Of the packed row, as `packRow` fills them. */
  readonly #ends: Int32Array<ArrayBuffer>
  #standing: Standing
  /** Whether the mask is that of the next token. */
  #isPrepared = false
  /** Whether logits keep their positions, so that indices are ids. */
  #inPlace = false
  /** The rest of an ending that is being written because tokens run out. */
  #closing: number[] = []

  /** @param stopIds end the answer where its text may end */
  constructor(grammar: PreparedGrammar, stopIds: readonly number[]) {
    this.#grammar = grammar
    this.#stopIds = stopIds
    this.#mask = new Int32Array(grammar.vocabulary.words)
    this.#ends = new Int32Array(blocksFor(grammar.vocabulary.words))
    this.#standing = grammar.automaton.start
  }

  /** Tokens of a short ending from the answer's current position; at least as many if it is long. */
  get leastTokens(): number {
    const bytes = this.#grammar.automaton.endings.least(this.#standing)
    return bytes > maxEndingBytes ? bytes : this.#endingOf(this.#standing).length
  }

  /** Makes the mask of the next token, unless it is made: before its logits are there, if there is time. */
  prepare(): void {
    if (this.#isPrepared) return
    this.#fill()
    this.#isPrepared = true
  }

  /**
   * Keeps the allowed logits, in the order of their ids: a few are moved to the front of the row; if almost all are
   * allowed, as within strings, it is faster to make the others too small to be drawn.
   * @returns the part of the row that holds them, never empty
   */
  pack(logits: Float32Array): Float32Array {
    this.prepare()
    this.#inPlace = isDense(this.#mask)
    // Called through a variable, V8 does not inline the loops: it would keep them in code that takes twice as long.
    const keep = this.#inPlace ? excludeFrom : packRow
    return logits.subarray(0, keep(logits, this.#mask, this.#ends))
  }

  /** Returns a function that says whether a single token is allowed next. */
  filter(): (id: number) => boolean {
    this.prepare()
    return (id) => hasBit(this.#mask, id)
  }

  /** The id at an index of the packed row. */
  idAt(position: number): number {
    return this.#inPlace ? position : idAt(this.#mask, position, this.#ends)
  }

  /** The index in the packed row of an allowed id. */
  positionOf(id: number): number {
    return this.#inPlace ? id : positionOf(this.#mask, id)
  }

  /**
   * Accepts the picked token; or, if the text could no longer be ended in time after it, returns the first token of a
   * short ending, which is written from then on.
   * @param picked one of those that `pack` allowed
   * @param tokensLeft the answer may still have, including this one
   */
  settle(picked: number, tokensLeft: number): Settled {
    this.#isPrepared = false
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

  /** @param picked cannot be accepted */
  #beginEnding(picked: number): Settled {
    this.#closing = this.#endingOf(this.#standing)
    const id = this.#closing.shift()
    // The text may end here, so there is nothing to add.
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

  /** Whether an ending from here takes at most this many tokens. Each covers at least one byte. */
  #endsWithin(standing: Standing, tokens: number): boolean {
    const { automaton, vocabulary } = this.#grammar
    const bytes = automaton.endings.least(standing)
    if (bytes <= tokens) return true
    if (bytes > maxEndingBytes) return false
    return bytes <= tokens * vocabulary.longest && this.#endingOf(standing).length <= tokens
  }

  #endingOf(standing: Standing): number[] {
    const { automaton, vocabulary } = this.#grammar
    return vocabulary.tokensOf(automaton.endings.text(standing))
  }
}
