import type { PatternString } from '../pieces/pattern-string.ts'
import { setBit } from './bits.ts'
import type { ClassTrie } from './class-trie.ts'

/** The tokens allowed within a string, regardless of what follows it. */
export interface StringMask {
  /** Tokens that stay in the string. */
  readonly inside: Int32Array
  /** Nodes of the tokens' trie: the quotes that close it. */
  readonly quotes: readonly number[]
}

/**
 * Traverses the tokens, as the pattern sees them, along with the pattern's DFA.
 * @param state of the piece, between two characters
 * @param words of a mask
 */
export function patternMask(
  trie: ClassTrie,
  piece: PatternString,
  state: number,
  words: number,
): StringMask {
  const { labels, depths, skips, ids, idsFrom, size } = trie
  const { classes, table, accepting } = piece.tables
  const inside = new Int32Array(words)
  const quotes: number[] = []
  // By depth: the node of the DFA before it.
  const way = new Int32Array(trie.longest + 2)
  way[1] = piece.nodeOf(state)
  if (accepting[way[1]] === 1) addQuotes(trie, 0, quotes)
  for (let node = 1; node < size;) {
    const depth = depths[node]!
    const label = labels[node]!
    const before = way[depth]!
    const isBegun = label >= classes
    const next = isBegun ? before : table[before * classes + label]!
    if (next < 0 || (isBegun && !piece.mayBecome(before, label - classes))) {
      node = skips[node]!
      continue
    }
    for (let index = idsFrom[node]!; index < idsFrom[node + 1]!; index++) {
      setBit(inside, ids[index]!)
    }
    if (accepting[next] === 1 && !isBegun) addQuotes(trie, node, quotes)
    way[depth + 1] = next
    node += 1
  }
  return { inside, quotes }
}

function addQuotes({ quotes, quotesFrom }: ClassTrie, node: number, found: number[]): void {
  for (let index = quotesFrom[node]!; index < quotesFrom[node + 1]!; index++) {
    found.push(quotes[index]!)
  }
}
