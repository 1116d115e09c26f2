import { betweenCharacters, closed, stringTable } from '../pieces/json-string.ts'
import { addBits, setBit } from './bits.ts'
import type { ClosingTokens } from './closing-tokens.ts'
import type { TokenTrie } from './token-trie.ts'

/** Tokens as they may occur in any string, beginning between two of its characters. */
export class FreeTokens {
  /** Those that close it, as indices in `ClosingTokens`. */
  readonly closing: Int32Array
  /** Characters of each of those before its quote. */
  readonly closingCharacters: Int32Array
  /** Those that stay in it and begin at most this many characters. */
  readonly #insideUpTo: readonly Int32Array[]

  /** @param words of a mask */
  constructor(trie: TokenTrie, closing: ClosingTokens, words: number) {
    const found = follow(trie, closing, words)
    this.closing = Int32Array.from(found.closing)
    this.closingCharacters = Int32Array.from(found.closingCharacters)
    for (const [characters, mask] of found.inside.entries()) {
      if (characters > 0) addBits(mask, found.inside[characters - 1]!)
    }
    this.#insideUpTo = found.inside
  }

  /** Tokens that stay in the string and begin at most `characters` more. */
  insideUpTo(characters: number): Int32Array {
    return this.#insideUpTo[Math.min(characters, this.#insideUpTo.length - 1)]!
  }
}

interface Found {
  /** Masks by number of characters. */
  readonly inside: Int32Array[]
  readonly closing: number[]
  readonly closingCharacters: number[]
}

function follow(trie: TokenTrie, tokens: ClosingTokens, words: number): Found {
  const { bytes, depths, ids, skips, size, longest } = trie
  const inside = Array.from({ length: longest + 1 }, () => new Int32Array(words))
  const found: Found = { inside, closing: [], closingCharacters: [] }
  // By depth: the state, and the characters begun before it.
  const states = new Int32Array(longest + 1)
  const characters = new Int32Array(longest + 1)
  for (let at = 0; at < size;) {
    const depth = depths[at]!
    const begun = characters[depth]! + (states[depth] === betweenCharacters ? 1 : 0)
    const state = stringTable[(states[depth]! << 8) | bytes[at]!]!
    if (state < 0 || state === closed) {
      const numbers = state === closed ? tokens.at(at) : []
      for (const number of numbers) {
        found.closing.push(number)
        found.closingCharacters.push(characters[depth]!)
      }
      at = skips[at]!
      continue
    }
    if (ids[at]! >= 0) setBit(inside[begun]!, ids[at]!)
    states[depth + 1] = state
    characters[depth + 1] = begun
    at += 1
  }
  return found
}
