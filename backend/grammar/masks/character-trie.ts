import { decoderOf } from '../compile/patterns/byte-decoder.ts'
import type { DecoderTables } from '../grammar.ts'
import { setBit } from './bits.ts'
import type { ClosingTokens } from './closing-tokens.ts'
import { NodeValues, type ValuesByNode } from './node-values.ts'
import { labelGroupsOf, type LabelGroups } from './patterns/label-groups.ts'
import { heightsOf, skipsOf, TokenTrie } from './token-trie.ts'

const quote = 0x22

/**
 * Sequences of labels, with values where they end. A node's descendants directly follow it; node 0 is the empty sequence.
 * The values of a node and its descendants are adjacent, too.
 */
export interface LabelTrie {
  /** By node: the label that leads here. */
  readonly labels: Int32Array
  /** By node: labels from the root to here. */
  readonly depths: Uint16Array
  /** The first node that is not a descendant. */
  readonly skips: Int32Array
  /** Labels from here to the deepest descendant. */
  readonly heights: Uint16Array
  readonly values: ValuesByNode
  /** The greatest depth. */
  readonly longest: number
}

/**
 * The tokens as they may occur in strings with a pattern, beginning between two characters: with a label for each
 * character, and one for each partial character at a token's end. Created once for all patterns, each of which inspects
 * some 10,000 labels instead of all bytes of all tokens.
 */
export class CharacterTrie {
  /** The ids of tokens that stay in the string. */
  readonly staying: LabelTrie
  /** All of these as a mask. */
  readonly allStaying: Int32Array
  /** Those that close it, as indices in `ClosingTokens`, by what precedes the quote. */
  readonly closing: LabelTrie
  /** By label: its bytes, one a character. */
  readonly labelTexts: readonly string[]
  /** Of the tokens that stay in the string. */
  readonly groups: LabelGroups
  /** The bytes of each label. */
  readonly #texts: TokenTrie
  readonly #labels: number
  /** By a decoder's table: patterns of a schema often share it. */
  readonly #reads = new WeakMap<Int16Array, Int16Array>()

  /** @param words of a mask */
  constructor(trie: TokenTrie, closingTokens: ClosingTokens, words: number) {
    const [staying, closing] = [new Draft(), new Draft()]
    const texts = follow(trie, closingTokens, staying, closing)
    this.staying = staying.finish()
    this.closing = closing.finish()
    this.allStaying = new Int32Array(words)
    for (const id of this.staying.values.values) setBit(this.allStaying, id)
    this.#texts = new TokenTrie(
      Array.from(texts, ([text, id]) => ({ id, bytes: Buffer.from(text, 'latin1') })),
    )
    this.#labels = texts.size
    this.labelTexts = [...texts.keys()]
    this.groups = labelGroupsOf(this.staying, this.labelTexts)
  }

  /**
   * By label, what a decoder makes of its bytes: -2 - class for a character, or the decoder's state within a partial
   * one; -1: not allowed.
   */
  reads({ table }: DecoderTables): Int16Array {
    const reads = this.#reads.get(table) ?? this.#makeReads(table)
    this.#reads.set(table, reads)
    return reads
  }

  #makeReads(table: Int16Array): Int16Array {
    const { bytes, depths, ids, skips, size, longest } = this.#texts
    const reads = new Int16Array(this.#labels).fill(-1)
    const states = new Int32Array(longest + 1)
    for (let at = 0; at < size;) {
      const read = table[(states[depths[at]!]! << 8) | bytes[at]!]!
      if (ids[at]! >= 0) reads[ids[at]!] = read
      if (read >= 0) states[depths[at]! + 1] = read
      at = read < 0 ? skips[at]! : at + 1
    }
    return reads
  }
}

const anyCharacter = {
  count: 1,
  starts: Int32Array.of(0),
  classes: Int32Array.of(0),
}

/**
 * Adds every token that is legal within a string to one of the drafts.
 * @returns the labels, by the bytes of characters and of beginnings of characters
 */
function follow(
  { bytes, depths, ids, skips, size, longest }: TokenTrie,
  closingTokens: ClosingTokens,
  staying: Draft,
  closing: Draft,
): ReadonlyMap<string, number> {
  const decoder = decoderOf(anyCharacter).table
  const labels = new Labels()
  // By depth: the bytes and labels so far, the number of labels, where the latest character begins, and the decoder's
  // state within it.
  const text = new Uint8Array(longest)
  const path = new Int32Array(longest)
  const lengths = new Int32Array(longest + 1)
  const begins = new Int32Array(longest + 1)
  const states = new Int32Array(longest + 1)
  for (let at = 0; at < size;) {
    const depth = depths[at]!
    const length = lengths[depth]!
    const read = decoder[(states[depth]! << 8) | bytes[at]!]!
    if (read === -1) {
      const closes = bytes[at] === quote && states[depth] === 0
      for (const number of closes ? closingTokens.at(at) : [])
        closing.add(path.subarray(0, length), number)
      at = skips[at]!
      continue
    }
    text[depth] = bytes[at]!
    const begin = states[depth] === 0 ? depth : begins[depth]!
    if (read < 0 || ids[at]! >= 0) path[length] = labels.of(text.subarray(begin, depth + 1))
    if (ids[at]! >= 0) staying.add(path.subarray(0, length + 1), ids[at]!)
    lengths[depth + 1] = read < 0 ? length + 1 : length
    begins[depth + 1] = begin
    states[depth + 1] = read < 0 ? 0 : read
    at += 1
  }
  return labels.byText
}

class Labels {
  readonly byText = new Map<string, number>()

  of(bytes: Uint8Array): number {
    const text = String.fromCharCode(...bytes)
    const label = this.byText.get(text) ?? this.byText.size
    this.byText.set(text, label)
    return label
  }
}

/** A trie of sequences that arrive in the order in which a trie is traversed. */
class Draft {
  readonly #labels = [0]
  readonly #depths = [0]
  readonly #values = new NodeValues()
  /** The latest sequence: its labels, and the node after each. */
  readonly #path: number[] = []
  readonly #nodes: number[] = [0]

  add(labels: Int32Array, value: number): void {
    let depth = 0
    while (depth < labels.length && this.#path[depth] === labels[depth]) depth += 1
    this.#path.length = depth
    this.#nodes.length = depth + 1
    for (; depth < labels.length; depth++) {
      this.#path.push(labels[depth]!)
      this.#depths.push(depth + 1)
      this.#nodes.push(this.#labels.push(labels[depth]!) - 1)
    }
    this.#values.add(this.#nodes[depth]!, value)
  }

  finish(): LabelTrie {
    const depths = Uint16Array.from(this.#depths)
    return {
      labels: Int32Array.from(this.#labels),
      depths,
      skips: skipsOf(depths),
      heights: heightsOf(depths),
      values: this.#values.byPlace(Int32Array.from(this.#labels.keys())),
      longest: depths.reduce((longest, depth) => Math.max(longest, depth), 0),
    }
  }
}
