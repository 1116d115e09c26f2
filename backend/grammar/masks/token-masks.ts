import { maxMaskBytes, maxPatternTokenBytes } from '../limits.ts'
import { FreeString } from '../pieces/free-string.ts'
import { PatternString } from '../pieces/pattern-string.ts'
import type { Piece, StringPiece } from '../pieces/piece.ts'
import type { Automaton } from '../stacks/automaton.ts'
import type { Frames, Head, Standing } from '../stacks/frames.ts'
import { addBits, hasBit, setBit, wordsFor } from './bits.ts'
import { PatternTokens, type StringMask } from './pattern-tokens.ts'
import { insideOfAny } from './patterns/pattern-union.ts'
import { TrieWalk } from './trie-walk.ts'
import type { Vocabulary } from './vocabulary.ts'

type StringHead = Head & { readonly piece: StringPiece }
type PatternHead = Head & { readonly piece: PatternString }

/**
 * Which tokens may come next in texts of one grammar. The tokens' trie is traversed along with the automaton and
 * abandoned at the first byte that is not allowed, which for structure is immediate. Within strings most tokens are
 * allowed, most of them regardless of what follows the string; these masks are computed once, for patterns from the
 * tokens' sequences of character classes.
 */
export class TokenMasks {
  readonly #vocabulary: Vocabulary
  readonly #automaton: Automaton
  /** Of strings, by their pieces and states. */
  readonly #kept = new Map<Piece, Map<number, StringMask>>()
  /** Tokens that stay in a string of one of several patterns, by those and their states. */
  readonly #keptUnions = new Map<string, Int32Array>()
  #keptBytes = 0
  /** The tokens as patterns see them. */
  readonly #tokens = new Map<PatternString, PatternTokens>()
  readonly #numbers = new Map<PatternString, number>()
  /** The texts that may follow a closing quote within the same token, by what surrounds the string. */
  readonly #rests = new WeakMap<Frames, Int32Array>()

  constructor(vocabulary: Vocabulary, automaton: Automaton) {
    this.#vocabulary = vocabulary
    this.#automaton = automaton
  }

  /** Bytes of cached masks. */
  get bytes(): number {
    return this.#keptBytes + this.#tokenBytes
  }

  /** @param mask receives the text tokens all of whose bytes are allowed, in order */
  fill({ heads }: Standing, mask: Int32Array): void {
    mask.fill(0)
    const walk = new TrieWalk(this.#automaton, this.#vocabulary.trie, mask)
    const patterns = heads.filter(isWithinPattern)
    const isUnion = patterns.length > 1
    if (isUnion) this.#fillPatterns(patterns, mask)
    for (const head of heads) {
      if (isUnion && isWithinPattern(head)) continue
      if (isInString(head)) this.#fillString(head, mask)
      else walk.add(head)
    }
  }

  #fillString(head: StringHead, mask: Int32Array): void {
    const { piece, state } = head
    if (piece instanceof FreeString && piece.isBetween(state))
      return this.#fillFreeString(head, piece, mask)
    const { inside, closing } = this.#stringMask(piece, state)
    addBits(mask, inside)
    this.#fillClosing(head, closing, mask)
  }

  #fillFreeString(head: StringHead, piece: FreeString, mask: Int32Array): void {
    const count = piece.countOf(head.state)
    const left = piece.max - count
    const { free, closing } = this.#vocabulary
    addBits(mask, free.insideUpTo(left))
    const allowed = this.#restsBehind(head)
    for (let index = 0; index < free.closing.length; index++) {
      const length = free.closingCharacters[index]!
      const number = free.closing[index]!
      if (
        length <= left &&
        count + length >= piece.min &&
        hasBit(allowed, closing.restOf[number]!)
      ) {
        setBit(mask, closing.ids[number]!)
      }
    }
  }

  /** @param heads at least two */
  #fillPatterns(heads: readonly PatternHead[], mask: Int32Array): void {
    addBits(mask, this.#insideOfAny(heads))
    for (const head of heads)
      this.#fillClosing(head, this.#tokensOf(head.piece).closingOf(head.state), mask)
  }

  #insideOfAny(heads: readonly PatternHead[]): Int32Array {
    const { characters } = this.#vocabulary
    if (heads.some(({ piece, state }) => piece.isFree(state))) return characters.allStaying
    const name = heads.map(({ piece, state }) => `${this.#numberOf(piece)} ${state}`).join()
    const known = this.#keptUnions.get(name)
    if (known !== undefined) return known
    const places = heads.map(({ piece, state }) => this.#tokensOf(piece).placeOf(state))
    const inside = insideOfAny(places, characters.allStaying)
    this.#makeRoom(inside.byteLength)
    this.#keptUnions.set(name, inside)
    return inside
  }

  #numberOf(piece: PatternString): number {
    const number = this.#numbers.get(piece) ?? this.#numbers.size
    this.#numbers.set(piece, number)
    return number
  }

  /** @param closing tokens that close the head's string, as indices in `ClosingTokens` */
  #fillClosing(head: StringHead, closing: Int32Array, mask: Int32Array): void {
    if (closing.length === 0) return
    const { ids, restOf } = this.#vocabulary.closing
    const allowed = this.#restsBehind(head)
    for (const number of closing) {
      if (hasBit(allowed, restOf[number]!)) setBit(mask, ids[number]!)
    }
  }

  /** The texts that may follow the closing quote of a head's string within the same token. */
  #restsBehind(head: StringHead): Int32Array {
    const known = this.#rests.get(head.frames)
    if (known !== undefined) return known
    const { rests, noRest, restCount } = this.#vocabulary.closing
    const found = new Int32Array(wordsFor(restCount))
    setBit(found, noRest)
    const walk = new TrieWalk(this.#automaton, rests, found)
    for (const next of this.#automaton.behind(head, head.piece.closed).heads) walk.add(next)
    this.#rests.set(head.frames, found)
    return found
  }

  #stringMask(piece: StringPiece, state: number): StringMask {
    const known = this.#kept.get(piece)?.get(state)
    if (known !== undefined) return known
    const isPattern = piece instanceof PatternString && piece.isBetween(state)
    const mask = isPattern
      ? this.#tokensOf(piece).maskOf(state)
      : this.#makeStringMask(piece, state)
    this.#keep(piece, state, mask)
    return mask
  }

  #keep(piece: StringPiece, state: number, mask: StringMask): void {
    this.#makeRoom(mask.inside.byteLength + mask.closing.byteLength)
    const byState = this.#kept.get(piece) ?? new Map<number, StringMask>()
    this.#kept.set(piece, byState.set(state, mask))
  }

  #makeRoom(bytes: number): void {
    if (this.#keptBytes + bytes > maxMaskBytes) {
      this.#kept.clear()
      this.#keptUnions.clear()
      this.#keptBytes = 0
    }
    this.#keptBytes += bytes
  }

  #tokensOf(piece: PatternString): PatternTokens {
    const known = this.#tokens.get(piece)
    if (known !== undefined) return known
    if (this.#tokenBytes > maxPatternTokenBytes) this.#tokens.clear()
    const tokens = new PatternTokens(piece, this.#vocabulary)
    this.#tokens.set(piece, tokens)
    return tokens
  }

  get #tokenBytes(): number {
    let bytes = 0
    for (const tokens of this.#tokens.values()) bytes += tokens.bytes
    return bytes
  }

  #makeStringMask(piece: StringPiece, state: number): StringMask {
    const { trie, closing: closingTokens, words } = this.#vocabulary
    const { bytes, depths, ids, skips, size } = trie
    const inside = new Int32Array(words)
    const closing: number[] = []
    const way = new Int32Array(trie.longest + 1)
    way[0] = state
    for (let node = 0; node < size;) {
      const depth = depths[node]!
      const next = piece.step(way[depth]!, bytes[node]!)
      if (next < 0 || next === piece.closed) {
        if (next >= 0) closing.push(...closingTokens.at(node))
        node = skips[node]!
        continue
      }
      if (ids[node]! >= 0) setBit(inside, ids[node]!)
      way[depth + 1] = next
      node += 1
    }
    return { inside, closing: Int32Array.from(closing) }
  }
}

/** Whether a head lies between two characters of a pattern's string. */
function isWithinPattern(head: Head): head is PatternHead {
  return head.piece instanceof PatternString && head.piece.isBetween(head.state)
}

function isInString(head: Head): head is StringHead {
  const { piece, state } = head
  return (piece instanceof FreeString || piece instanceof PatternString) && piece.isInside(state)
}
