import type { PatternString } from '../../pieces/pattern-string.ts'
import type { MergedTokens } from '../class-merger.ts'
import type { RefusedGroups } from './refused-groups.ts'

/** A string of a pattern, between two of its characters. */
export interface PatternPlace {
  readonly piece: PatternString
  readonly state: number
  /** The tokens as the pattern sees them from here. */
  readonly tokens: MergedTokens
  /** Of the tokens' trie; undefined for a merged one, which is small. */
  readonly refused: RefusedGroups | undefined
}

/** Depths for which is known what may be allowed there: few tokens have more characters. */
export const mostDepths = 12

const nowhere = -1

/** Follows paths in a trie along with a pattern's DFA, as far as it is asked to. */
export class Follower {
  readonly piece: PatternString
  /** By label of the trie, as `CharacterTrie.reads`. */
  readonly reads: Int16Array
  /** By depth: the DFA's node before it, as far as whoever follows the pattern has come. */
  readonly way: Int32Array
  readonly refused: RefusedGroups | undefined
  readonly #labels: Int32Array
  readonly #path: Int32Array
  /** By depth: the DFA's node before it, and the trie's node for which that is known. */
  readonly #nodes: Int32Array
  readonly #known: Int32Array
  /** By class and by the decoder's state in a partial character: bits of the depths at which it may be allowed. */
  readonly #depths: Int32Array

  /** @param path by depth, the latest node of the trie; 0 before the first one */
  constructor({ piece, state, tokens, refused }: PatternPlace, path: Int32Array) {
    const { trie, reads } = tokens
    this.piece = piece
    this.reads = reads
    this.refused = refused
    this.way = new Int32Array(path.length)
    this.#labels = trie.labels
    this.#path = path
    this.#nodes = new Int32Array(path.length)
    this.#nodes[1] = piece.nodeOf(state)
    this.#known = new Int32Array(path.length)
    this.#depths = depthsOf(piece, state)
  }

  /** Whether the pattern allows a label at a depth up to `mostDepths`, after any labels. */
  mayAllow(depth: number, label: number): boolean {
    const read = this.reads[label]!
    if (read === -1) return false
    const depths = this.#depths[read < 0 ? -2 - read : this.piece.tables.classes + read]!
    return ((depths >> depth) & 1) === 1
  }

  /** Whether the pattern allows the path before a depth. */
  reaches(depth: number): boolean {
    let known = depth
    while (this.#known[known] !== this.#path[known - 1]) known -= 1
    for (let at = known; at < depth; at++) {
      const node = this.#path[at]!
      const before = this.#nodes[at]!
      this.#nodes[at + 1] = before === nowhere ? nowhere : this.#behind(before, this.#labels[node]!)
      this.#known[at + 1] = node
    }
    this.way[depth] = this.#nodes[depth]!
    return this.#nodes[depth] !== nowhere
  }

  /** The DFA's node within a partial character, after which no token continues; -1 when it is not allowed. */
  within(node: number, read: number): number {
    return read >= 0 && this.piece.mayBecome(node, read) ? 0 : nowhere
  }

  #behind(node: number, label: number): number {
    const { table, classes } = this.piece.tables
    const read = this.reads[label]!
    return read < -1 ? table[node * classes - 2 - read]! : this.within(node, read)
  }
}

function depthsOf(piece: PatternString, state: number): Int32Array {
  const { classes, table, decoder } = piece.tables
  const partial = decoder.least.length / classes
  const depths = new Int32Array(classes + partial)
  let nodes = new Set([piece.nodeOf(state)])
  for (let depth = 1; depth <= mostDepths; depth++) {
    const next = new Set<number>()
    for (const node of nodes) {
      for (let index = 0; index < classes; index++) {
        const target = table[node * classes + index]!
        if (target < 0) continue
        next.add(target)
        depths[index]! |= 1 << depth
      }
    }
    nodes = next
  }
  for (let cell = 0; cell < decoder.least.length; cell++) {
    const within = Math.floor(cell / classes)
    if (decoder.least[cell]! < 255) depths[classes + within]! |= depths[cell % classes]!
  }
  return depths
}
