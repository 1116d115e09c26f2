import type { TokenBytes } from '../../model/config/tokenizer-file.ts'
import { wordsFor } from './bits.ts'
import { CharacterTrie } from './character-trie.ts'
import { ClassMerger } from './class-merger.ts'
import { ClosingTokens } from './closing-tokens.ts'
import { FreeTokens } from './free-tokens.ts'
import { GradualMerger } from './patterns/gradual-merger.ts'
import { SimilarTokens } from './similar-tokens.ts'
import { TokenTrie } from './token-trie.ts'

/** The tokens of a tokenizer, prepared once for all grammars: 18 MB for 163,840 tokens. */
export class Vocabulary {
  /** Words of a mask for all of the model's ids. */
  readonly words: number
  readonly trie: TokenTrie
  /** Bytes of the longest token. */
  readonly longest: number
  readonly closing: ClosingTokens
  readonly free: FreeTokens
  readonly characters: CharacterTrie
  readonly similar: SimilarTokens
  readonly merger: ClassMerger
  readonly gradually: GradualMerger
  readonly #tokens: TokenBytes

  /** @param vocabSize number of ids of the model, text and others */
  constructor(tokens: TokenBytes, vocabSize: number) {
    this.#tokens = tokens
    this.words = wordsFor(vocabSize)
    const ids = Array.from({ length: tokens.starts.length - 1 }, (_, id) => id)
    const texts = ids.map((id) => ({ id, bytes: this.bytesOf(id) }))
    this.trie = new TokenTrie(texts)
    this.longest = this.trie.longest
    this.closing = new ClosingTokens(this.trie, (id) => this.bytesOf(id))
    this.free = new FreeTokens(this.trie, this.closing, this.words)
    this.characters = new CharacterTrie(this.trie, this.closing, this.words)
    this.similar = new SimilarTokens(this.characters)
    const { length } = this.characters.staying.values.values
    this.merger = new ClassMerger(length)
    this.gradually = new GradualMerger(() => new ClassMerger(length))
  }

  /** The bytes of a text token; empty for others. */
  bytesOf(id: number): Uint8Array {
    const { bytes, starts } = this.#tokens
    return id < starts.length - 1 ? bytes.subarray(starts[id], starts[id + 1]) : new Uint8Array()
  }

  /** Splits bytes into tokens, always taking the longest. */
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
}
