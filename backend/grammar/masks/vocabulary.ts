import type { TokenBytes } from '../../model/config/tokenizer-file.ts'
import { betweenCharacters, closed, stringTable } from '../pieces/json-string.ts'
import { addBits, setBit, wordsFor } from './bits.ts'
import { TokenTrie } from './token-trie.ts'

const quote = 0x22

/** Tokens that close a string, as seen from between two of its characters, and what follows the quote. */
export interface ClosingTokens {
  readonly ids: Int32Array
  /** Characters before the quote. */
  readonly characters: Int32Array
  /** A number for each text after the quote; see `rests`. */
  readonly rests: Int32Array
}

type QuotedTokens = Pick<ClosingTokens, 'ids' | 'rests'>

/** The tokens of a tokenizer, prepared once for all grammars: 18 MB for 163,840 tokens. */
export class Vocabulary {
  /** Words of a mask for all of the model's ids. */
  readonly words: number
  readonly trie: TokenTrie
  /** Bytes of the longest token. */
  readonly longest: number
  /** Texts after a closing quote within a token, except the empty one. */
  readonly rests: TokenTrie
  /** The number of the empty text. */
  readonly noRest = 0
  readonly restCount: number
  readonly closing: ClosingTokens
  readonly #tokens: TokenBytes
  /** What `closingAt` found, by the node of a quote. */
  readonly #closingAt = new Map<number, QuotedTokens>()
  readonly #restNumbers: ReadonlyMap<string, number>
  /** Tokens that lie completely within a string and begin at most this many characters. */
  readonly #insideUpTo: readonly Int32Array[]

  /** @param vocabSize number of ids of the model, text and others */
  constructor(tokens: TokenBytes, vocabSize: number) {
    this.#tokens = tokens
    this.words = wordsFor(vocabSize)
    const ids = Array.from({ length: tokens.starts.length - 1 }, (_, id) => id)
    const texts = ids.map((id) => ({ id, bytes: this.bytesOf(id) }))
    this.trie = new TokenTrie(texts)
    this.longest = this.trie.longest
    this.#restNumbers = restNumbersOf(ids.map((id) => this.bytesOf(id)))
    this.restCount = this.#restNumbers.size
    this.rests = new TokenTrie(
      Array.from(this.#restNumbers, ([text, id]) => ({ id, bytes: Buffer.from(text, 'latin1') })),
    )
    const seen = ids.map((id) => ({ id, ...seenFromWithin(this.bytesOf(id)) }))
    this.closing = this.#closingOf(seen)
    this.#insideUpTo = masksOf(seen, this.words)
  }

  /** The bytes of a text token; empty for others. */
  bytesOf(id: number): Uint8Array {
    const { bytes, starts } = this.#tokens
    return id < starts.length - 1 ? bytes.subarray(starts[id], starts[id + 1]) : new Uint8Array()
  }

  /** Tokens that may occur between two characters of a string and begin at most `characters` more. */
  insideUpTo(characters: number): Int32Array {
    return this.#insideUpTo[Math.min(characters, this.#insideUpTo.length - 1)]!
  }

  /** Tokens that pass through the node of a quote, or end there. */
  closingAt(node: number): QuotedTokens {
    const known = this.#closingAt.get(node)
    if (known !== undefined) return known
    const { ids, skips, depths } = this.trie
    const through = ids.subarray(node, skips[node]).filter((id) => id >= 0)
    const rests = through.map((id) => this.#restOf(this.bytesOf(id), depths[node]! + 1))
    const found = { ids: through, rests }
    this.#closingAt.set(node, found)
    return found
  }

  /** Splits bytes into tokens, the longest first. */
  tokensOf(text: Uint8Array): number[] {
    const ids: number[] = []
    for (let at = 0; at < text.length;) {
      // Every single byte is a token: tokenizer-file.ts checks that.
      const { id, length } = this.trie.longestAt(text, at)!
      ids.push(id)
      at += length
    }
    return ids
  }

  #restOf(bytes: Uint8Array, from: number): number {
    return this.#restNumbers.get(latin1(bytes.subarray(from)))!
  }

  #closingOf(seen: readonly (SeenToken & { readonly id: number })[]): ClosingTokens {
    const closing = seen.filter(({ quoteAt }) => quoteAt !== undefined)
    return {
      ids: Int32Array.from(closing, ({ id }) => id),
      characters: Int32Array.from(closing, ({ characters }) => characters),
      rests: Int32Array.from(closing, ({ id, quoteAt }) =>
        this.#restOf(this.bytesOf(id), quoteAt! + 1),
      ),
    }
  }
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
}

/** Numbers all texts that follow some quote within a token; the empty text is 0. */
function restNumbersOf(tokens: readonly Uint8Array[]): Map<string, number> {
  const numbers = new Map([['', 0]])
  for (const bytes of tokens) {
    for (let at = bytes.indexOf(quote); at >= 0; at = bytes.indexOf(quote, at + 1)) {
      const rest = latin1(bytes.subarray(at + 1))
      if (!numbers.has(rest)) numbers.set(rest, numbers.size)
    }
  }
  return numbers
}

/** A token between two characters of a string. */
interface SeenToken {
  readonly isLegal: boolean
  /** Number of characters it begins. */
  readonly characters: number
  /** Where it closes the string. */
  readonly quoteAt: number | undefined
}

function seenFromWithin(bytes: Uint8Array): SeenToken {
  let state = betweenCharacters
  let characters = 0
  for (const [at, byte] of bytes.entries()) {
    const isCharacter = state === betweenCharacters && byte !== quote
    if (isCharacter) characters += 1
    state = stringTable[state * 256 + byte]!
    if (state < 0) return { isLegal: false, characters, quoteAt: undefined }
    if (state === closed) return { isLegal: true, characters, quoteAt: at }
  }
  return { isLegal: true, characters, quoteAt: undefined }
}

function masksOf(
  seen: readonly (SeenToken & { readonly id: number })[],
  words: number,
): Int32Array[] {
  const masks: Int32Array[] = []
  for (const { id, isLegal, characters, quoteAt } of seen) {
    if (!isLegal || quoteAt !== undefined) continue
    while (masks.length <= characters) masks.push(new Int32Array(words))
    setBit(masks[characters]!, id)
  }
  for (let characters = 1; characters < masks.length; characters++) {
    addBits(masks[characters]!, masks[characters - 1]!)
  }
  return masks
}
