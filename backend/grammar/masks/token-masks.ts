import { maxMaskBytes, maxPatternTokenBytes } from '../limits.ts'
import { FreeString } from '../pieces/free-string.ts'
import { KeyText } from '../pieces/key-text.ts'
import { PatternString } from '../pieces/pattern-string.ts'
import type { Piece, StringPiece } from '../pieces/piece.ts'
import type { Automaton } from '../stacks/automaton.ts'
import type { Frames, Head, Standing } from '../stacks/frames.ts'
import { addBits, hasBit, setBit, wordsFor } from './bits.ts'
import { PatternTokens, type StringMask } from './pattern-tokens.ts'
import type { TokenTrie } from './token-trie.ts'
import type { Vocabulary } from './vocabulary.ts'

/** Some nodes of a trie: all descendants of one node, or all nodes. */
interface Range {
  readonly from: number
  readonly to: number
  /** Bytes before them. */
  readonly depth: number
}

/** A traversal of a trie. */
interface Walk {
  readonly trie: TokenTrie
  /** Receives the texts all of whose bytes are allowed. */
  readonly mask: Int32Array
  /** The nodes at which something with the same surroundings has ended. */
  readonly seen: Map<Frames, Set<number>>
}

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
  #keptBytes = 0
  /** The tokens as patterns see them. */
  readonly #tokens = new Map<PatternString, PatternTokens>()
  /** The texts that may follow a closing quote within the same token, by what surrounds the string. */
  readonly #rests = new WeakMap<Frames, Map<Piece, Int32Array>>()
  /** States along a traversal, by depth of nested traversals. */
  readonly #ways: Int32Array[] = []

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
    const { trie } = this.#vocabulary
    const walk = { trie, mask, seen: new Map() }
    for (const head of heads) {
      const { piece, state } = head
      if (piece instanceof FreeString && piece.isInside(state))
        this.#fillFreeString(head, piece, mask)
      else if (piece instanceof PatternString && piece.isInside(state))
        this.#fillString(head, piece, mask)
      else this.#walk(walk, head, { from: 0, to: trie.size, depth: 0 })
    }
  }

  #fillFreeString(head: Head, piece: FreeString, mask: Int32Array): void {
    if (!piece.isBetween(head.state)) return this.#fillString(head, piece, mask)
    const count = piece.countOf(head.state)
    const left = piece.max - count
    const { free, closing } = this.#vocabulary
    addBits(mask, free.insideUpTo(left))
    const allowed = this.#restsBehind(head, piece)
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

  #fillString(head: Head, piece: StringPiece, mask: Int32Array): void {
    const { inside, closing } = this.#stringMask(piece, head.state)
    addBits(mask, inside)
    if (closing.length === 0) return
    const { ids, restOf } = this.#vocabulary.closing
    const allowed = this.#restsBehind(head, piece)
    for (const number of closing) {
      if (hasBit(allowed, restOf[number]!)) setBit(mask, ids[number]!)
    }
  }

  /** The texts that may follow the closing quote within the same token. */
  #restsBehind(head: Head, piece: StringPiece): Int32Array {
    const byPiece = this.#rests.get(head.frames) ?? new Map<Piece, Int32Array>()
    this.#rests.set(head.frames, byPiece)
    const known = byPiece.get(piece)
    if (known !== undefined) return known
    const { rests, noRest, restCount } = this.#vocabulary.closing
    const found = new Int32Array(wordsFor(restCount))
    setBit(found, noRest)
    const walk = { trie: rests, mask: found, seen: new Map() }
    for (const next of this.#automaton.behind(head, piece.closed).heads)
      this.#walk(walk, next, { from: 0, to: rests.size, depth: 0 })
    byPiece.set(piece, found)
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
    const bytes = mask.inside.byteLength + mask.closing.byteLength
    if (this.#keptBytes + bytes > maxMaskBytes) {
      this.#kept.clear()
      this.#keptBytes = 0
    }
    this.#keptBytes += bytes
    const byState = this.#kept.get(piece) ?? new Map<number, StringMask>()
    this.#kept.set(piece, byState.set(state, mask))
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
    const way = this.#way(0)
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

  /** @param nested traversals that contain this one */
  #walk(walk: Walk, head: Head, { from, to, depth: before }: Range, nested = 0): void {
    const { bytes, depths, ids, skips } = walk.trie
    const { piece } = head
    const way = this.#way(nested)
    way[before] = head.state
    for (let node = from; node < to;) {
      const depth = depths[node]!
      const next = piece.step(way[depth]!, bytes[node]!)
      if (next < 0) {
        node = skips[node]!
        continue
      }
      if (ids[node]! >= 0) setBit(walk.mask, ids[node]!)
      const end = skips[node]!
      if (end > node + 1 && piece.isDone(next) && isNew(walk, head, node)) {
        const range = { from: node + 1, to: end, depth: depth + 1 }
        for (const one of this.#automaton.behind(head, next).heads)
          this.#walk(walk, one, range, nested + 1)
      }
      way[depth + 1] = next
      node = piece.goesOn(next) ? node + 1 : end
    }
  }

  #way(nested: number): Int32Array {
    return (this.#ways[nested] ??= new Int32Array(this.#vocabulary.longest + 1))
  }
}

/**
 * Whether nothing with the same surroundings has ended at a node yet: of many alternatives, such as ranges of numbers, each
 * would have all of them follow it again. What follows a key depends on the key.
 */
function isNew({ seen }: Walk, { piece, frames }: Head, node: number): boolean {
  if (piece instanceof KeyText) return true
  const nodes = seen.get(frames) ?? new Set<number>()
  seen.set(frames, nodes)
  return nodes.size < nodes.add(node).size
}
