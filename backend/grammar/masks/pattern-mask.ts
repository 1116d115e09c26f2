import type { PatternString } from '../pieces/pattern-string.ts'
import { toggleBits } from './bits.ts'
import type { LabelTrie } from './character-trie.ts'
import type { PatternTokens } from './class-merger.ts'

/** The tokens allowed within a string, regardless of what follows it. */
export interface StringMask {
  /** Tokens that stay in the string. */
  readonly inside: Int32Array
  /** Those that close it, as indices in `ClosingTokens`. */
  readonly closing: Int32Array
}

/** The tokens that may stay in a string of one pattern in one state. */
export interface InsideMask {
  /** The node of the DFA; -1: none, so no tokens. */
  readonly node: number
  readonly mask: Int32Array
}

/** @param words of a mask */
export function emptyInside(words: number): InsideMask {
  return { node: nowhere, mask: new Int32Array(words) }
}

const nowhere = -1

/**
 * The tokens that may stay in a string in a given state, derived from those of another state: the states of a pattern
 * that counts characters hardly differ.
 * @param state of the piece, between two characters
 * @param other of the same pattern; empty at first
 */
export function insideMask(
  tokens: PatternTokens,
  piece: PatternString,
  state: number,
  other: InsideMask,
): InsideMask {
  const mask = other.mask.slice()
  const node = piece.nodeOf(state)
  toggleDifferences(tokens, piece, { one: other.node, other: node }, mask)
  return { node, mask }
}

/** Traverses the tokens along with the pattern's DFA from two of its nodes, skipping parts where they cannot differ. */
function toggleDifferences(
  { staying, stayingReads: reads, blocks }: PatternTokens,
  piece: PatternString,
  from: { readonly one: number; readonly other: number },
  mask: Int32Array,
): void {
  const { labels, depths, skips, heights, values, longest } = staying
  const { free } = piece.tables
  // By depth: the nodes of the DFA before it.
  const [ones, others] = [new Int32Array(longest + 2), new Int32Array(longest + 2)]
  ones[1] = from.one
  others[1] = from.other
  for (let at = 1; at < labels.length;) {
    const depth = depths[at]!
    const read = reads[labels[at]!]!
    const one = nodeBehind(piece, ones[depth]!, read)
    const other = nodeBehind(piece, others[depth]!, read)
    const isOneOnly = one === nowhere || other === nowhere
    if (one === other || (!isOneOnly && blocks.agree(one, other, heights[at]!))) {
      at = skips[at]!
      continue
    }
    const end = isOneOnly && free[Math.max(one, other)] === 1 ? skips[at]! : at + 1
    if (isOneOnly) toggleBits(mask, values.values, values.from[at]!, values.from[end]!)
    ones[depth + 1] = one
    others[depth + 1] = other
    at = end
  }
}

/**
 * Where a node of the DFA leads.
 * @param read -2 - class for a character, or the decoder's state within a partial one, after which no token continues;
 *   -1: not allowed
 */
function nodeBehind(piece: PatternString, node: number, read: number): number {
  if (node === nowhere || read === -1) return nowhere
  if (read >= 0) return piece.mayBecome(node, read) ? node : nowhere
  return piece.tables.table[node * piece.tables.classes - 2 - read]!
}

/**
 * The tokens that close a string in a given state.
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
      const found = values.values.subarray(values.from[node], values.from[node + 1])
      closing.set(found, count)
      count += found.length
    }
    node += 1
  }
  return closing.slice(0, count)
}
