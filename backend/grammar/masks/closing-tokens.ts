import { TokenTrie } from './token-trie.ts'

const quote = 0x22

/** Indices of those tokens. */
type Numbers = readonly number[]

/**
 * Tokens that close a string, and what follows the quote in them: indexed from 0 on, with one index for each quote in
 * each token. Which of them close a string depends on where in it they begin.
 */
export class ClosingTokens {
  /** By index. */
  readonly ids: Int32Array
  /** By index: the text after the quote, as in `rests`. */
  readonly restOf: Int32Array
  /** Texts after quotes, except the empty one. */
  readonly rests: TokenTrie
  /** For the empty text. */
  readonly noRest = 0
  readonly restCount: number
  /** By node of the tokens' trie. */
  readonly #numbers = new Map<number, Numbers>()

  constructor(trie: TokenTrie, bytesOf: (id: number) => Uint8Array) {
    const restNumbers = new Map([['', this.noRest]])
    const ids: number[] = []
    const restOf: number[] = []
    for (let node = 0; node < trie.size; node++) {
      if (trie.bytes[node] !== quote) continue
      const through = trie.ids.subarray(node, trie.skips[node]).filter((id) => id >= 0)
      this.#numbers.set(
        node,
        Array.from(through, (_, index) => ids.length + index),
      )
      for (const id of through) {
        ids.push(id)
        restOf.push(numberOf(restNumbers, bytesOf(id).subarray(trie.depths[node]! + 1)))
      }
    }
    this.ids = Int32Array.from(ids)
    this.restOf = Int32Array.from(restOf)
    this.restCount = restNumbers.size
    this.rests = new TokenTrie(
      Array.from(restNumbers, ([text, id]) => ({ id, bytes: Buffer.from(text, 'latin1') })),
    )
  }

  /** Those whose path in the tokens' trie passes through the quote at this node or ends there. */
  at(node: number): Numbers {
    return this.#numbers.get(node) ?? []
  }
}

function numberOf(numbers: Map<string, number>, text: Uint8Array): number {
  const name = Buffer.from(text.buffer, text.byteOffset, text.length).toString('latin1')
  const number = numbers.get(name) ?? numbers.size
  numbers.set(name, number)
  return number
}
