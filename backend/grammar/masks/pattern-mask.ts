import type { PatternString } from '../pieces/pattern-string.ts'
import { setBit, toggleBits, toggleWords } from './bits.ts'
import type { MergedTokens } from './class-merger.ts'
import type { RefusedGroups } from './patterns/refused-groups.ts'
import type { StateBlocks } from './state-blocks.ts'

/** Instead of a node of the DFA: where nothing is allowed, and where everything is. */
const nowhere = -1
const everywhere = -2

/** Values of a node from which on a set of bits is kept for them: toggling as many bits takes longer than all words. */
const manyValues = 4_096

/** Nodes of a trie from which on comparing states takes less time than visiting all nodes. */
const manyNodes = 2_048

/**
 * Makes masks of the tokens that stay in a string, each from the one before: the states of a pattern that counts
 * characters hardly differ.
 */
export class InsideMasks {
  readonly tokens: MergedTokens
  readonly #piece: PatternString
  readonly #blocks: StateBlocks | undefined
  readonly #refused: RefusedGroups | undefined
  /** The latest node of the DFA, and its mask. */
  #node = nowhere
  #mask: Int32Array
  /** Sets of many values, by the first and the one after the last. */
  readonly #sets = new Map<number, Int32Array>()
  /** By depth: the nodes of the DFA before it, from the latest node and from the next one. */
  readonly #ones: Int32Array
  readonly #others: Int32Array

  /**
   * @param blocks of the pattern
   * @param words of a mask
   * @param refused of the tokens' trie; undefined for a merged one
   */
  constructor(
    tokens: MergedTokens,
    piece: PatternString,
    blocks: StateBlocks,
    words: number,
    refused?: RefusedGroups,
  ) {
    this.tokens = tokens
    this.#refused = refused
    this.#blocks = tokens.trie.labels.length > manyNodes ? blocks : undefined
    this.#piece = piece
    this.#mask = new Int32Array(words)
    this.#ones = new Int32Array(tokens.trie.longest + 2)
    this.#others = new Int32Array(tokens.trie.longest + 2)
  }

  /** Nodes of the tokens' trie. */
  get size(): number {
    return this.tokens.trie.labels.length
  }

  get bytes(): number {
    const { trie, reads } = this.tokens
    const { labels, depths, skips, heights, values } = trie
    const arrays = [labels, depths, skips, heights, values.from, values.values, reads]
    const bytes = arrays.reduce((sum, { byteLength }) => sum + byteLength, 0)
    return bytes + this.#sets.size * this.#mask.byteLength
  }

  /** Derives the next mask from that of all tokens. */
  beginWith(all: Int32Array): this {
    this.#node = everywhere
    this.#mask = all
    return this
  }

  of(node: number): Int32Array
  /** @param nodes of the trie that it may visit at most; undefined when there are more */
  of(node: number, nodes: number): Int32Array | undefined
  of(node: number, nodes = Infinity): Int32Array | undefined {
    const mask = this.#mask.slice()
    if (!this.#toggleDifferences(node, mask, nodes)) return undefined
    this.#node = node
    this.#mask = mask
    return mask
  }

  /**
   * Traverses the tokens along with the pattern's DFA from two of its nodes, skipping parts where they cannot differ.
   * @returns whether that visited at most so many nodes
   */
  #toggleDifferences(node: number, mask: Int32Array, most: number): boolean {
    const { labels, depths, skips, heights } = this.tokens.trie
    const { reads } = this.tokens
    const [ones, others] = [this.#ones, this.#others]
    const { free } = this.#piece.tables
    ones[1] = this.#node
    others[1] = node
    let visited = 0
    for (let at = 1; at < labels.length; visited++) {
      if (visited === most) return false
      const depth = depths[at]!
      // Mostly the first is everywhere or nowhere, so it is asked first.
      if (this.#allowsAll(ones[depth]!, at) && this.#allowsAll(others[depth]!, at)) {
        at = skips[at]!
        continue
      }
      const read = reads[labels[at]!]!
      const one = this.#behind(ones[depth]!, read)
      const other = this.#behind(others[depth]!, read)
      if (one === other || this.#agree(one, other, heights[at]!)) {
        at = skips[at]!
        continue
      }
      const isOneOnly = one === nowhere || other === nowhere
      const only = one === nowhere ? other : one
      const end = isOneOnly && (only === everywhere || free[only] === 1) ? skips[at]! : at + 1
      if (isOneOnly) this.#toggle(mask, at, end)
      ones[depth + 1] = one
      others[depth + 1] = other
      at = end
    }
    return true
  }

  /** Whether a node of the DFA is known to allow everything at a node of the trie and below. */
  #allowsAll(node: number, at: number): boolean {
    if (node < 0) return node === everywhere
    return this.#refused?.allowsAll(node, at) === true
  }

  #agree(one: number, other: number, characters: number): boolean {
    return one >= 0 && other >= 0 && this.#blocks?.agree(one, other, characters) === true
  }

  /**
   * Where a node of the DFA leads.
   * @param read -2 - class for a character, or the decoder's state within a partial one, after which no token
   *   continues; -1: not allowed
   */
  #behind(node: number, read: number): number {
    if (node === everywhere) return everywhere
    if (node === nowhere || read === -1) return nowhere
    const piece = this.#piece
    if (read >= 0) return piece.mayBecome(node, read) ? 0 : nowhere
    return piece.tables.table[node * piece.tables.classes - 2 - read]!
  }

  /** Toggles the values of the trie's nodes up to `end`. */
  #toggle(mask: Int32Array, at: number, end: number): void {
    const { values, from } = this.tokens.trie.values
    const [first, last] = [from[at]!, from[end]!]
    if (last - first < manyValues) return toggleBits(mask, values, first, last)
    const name = first * (values.length + 1) + last
    let set = this.#sets.get(name)
    if (set === undefined) {
      set = new Int32Array(mask.length)
      for (const id of values.subarray(first, last)) setBit(set, id)
      this.#sets.set(name, set)
    }
    toggleWords(mask, set)
  }
}

/**
 * The tokens that close a string in a given state.
 * @param reads by label, as `CharacterTrie.reads`
 * @param closing has room for all of the trie's values
 */
export function closingNumbers(
  { trie, reads }: MergedTokens,
  piece: PatternString,
  state: number,
  closing: Int32Array,
): Int32Array {
  const { labels, depths, skips, values, longest } = trie
  const { classes, table, accepting } = piece.tables
  let count = 0
  // By depth: the node of the DFA after it.
  const way = new Int32Array(longest + 1)
  way[0] = piece.nodeOf(state)
  for (let node = 0; node < labels.length;) {
    const depth = depths[node]!
    if (node > 0) {
      const read = reads[labels[node]!]!
      const next = read < -1 ? table[way[depth - 1]! * classes - 2 - read]! : -1
      if (next < 0) {
        node = skips[node]!
        continue
      }
      way[depth] = next
    }
    if (accepting[way[depth]!] === 1) {
      const end = values.from[node + 1]!
      for (let index = values.from[node]!; index < end; index++) {
        closing[count++] = values.values[index]!
      }
    }
    node += 1
  }
  return closing.slice(0, count)
}
