import type { PatternString } from '../pieces/pattern-string.ts'
import { clearBit, setBit } from './bits.ts'
import type { LabelTrie } from './character-trie.ts'
import type { PatternTokens } from './class-merger.ts'

/** The tokens allowed within a string, regardless of what follows it. */
export interface StringMask {
  /** Tokens that stay in the string. */
  readonly inside: Int32Array
  /** Those that close it, as numbers in `ClosingTokens`. */
  readonly closing: Int32Array
}

/** The tokens that may stay in a string of one pattern. */
export interface InsideMask {
  /** 1 for each node of the tokens' trie whose tokens are among them. */
  readonly reached: Uint8Array
  readonly mask: Int32Array
}

/** @param words of a mask */
export function emptyInside({ staying }: PatternTokens, words: number): InsideMask {
  return { reached: new Uint8Array(staying.labels.length), mask: new Int32Array(words) }
}

/**
 * The tokens that may stay in a string in some state, made from those of another one: the states of a pattern that counts
 * characters hardly differ.
 * @param state of the piece, between two characters
 * @param other of the same pattern; empty at first
 */
export function insideMask(
  tokens: PatternTokens,
  piece: PatternString,
  state: number,
  other: InsideMask,
): InsideMask {
  const { values, from } = tokens.staying.values
  const reached = reachedNodes(tokens, piece, state)
  let mask = other.mask
  for (let node = 0; node < reached.length; node++) {
    if (reached[node] === other.reached[node] || from[node] === from[node + 1]) continue
    if (mask === other.mask) mask = mask.slice()
    const change = reached[node] === 1 ? setBit : clearBit
    for (let index = from[node]!; index < from[node + 1]!; index++) change(mask, values[index]!)
  }
  return { reached, mask }
}

/** Traverses the tokens along with the pattern's DFA. */
function reachedNodes(
  { staying, stayingReads: reads }: PatternTokens,
  piece: PatternString,
  state: number,
): Uint8Array {
  const { labels, depths, skips, longest } = staying
  const { classes, table, free } = piece.tables
  const reached = new Uint8Array(labels.length)
  // By depth: the node of the DFA before it.
  const way = new Int32Array(longest + 2)
  way[1] = piece.nodeOf(state)
  for (let node = 1; node < labels.length;) {
    const depth = depths[node]!
    const read = reads[labels[node]!]!
    const before = way[depth]!
    const next = read < -1 ? table[before * classes - 2 - read]! : before
    if (next < 0 || read === -1 || (read >= 0 && !piece.mayBecome(before, read))) {
      node = skips[node]!
      continue
    }
    const end = read < -1 && free[next] === 1 ? skips[node]! : node + 1
    way[depth + 1] = next
    while (node < end) reached[node++] = 1
  }
  return reached
}

/**
 * The tokens that close a string in some state.
 * @param reads by label, as `CharacterTrie.reads`
 */
export function closingNumbers(
  { labels, depths, skips, values, longest }: LabelTrie,
  reads: Int16Array,
  piece: PatternString,
  state: number,
): Int32Array {
  const { classes, table, accepting } = piece.tables
  const closing = new Int32Array(values.values.length)
  let count = 0
  // By depth: the node of the DFA behind it.
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
      const found = values.values.subarray(values.from[node], values.from[node + 1])
      closing.set(found, count)
      count += found.length
    }
    node += 1
  }
  return closing.slice(0, count)
}
