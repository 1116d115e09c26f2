import { KeyText } from '../pieces/key-text.ts'
import type { Piece } from '../pieces/piece.ts'
import type { Automaton } from '../stacks/automaton.ts'
import type { Frames, Head } from '../stacks/frames.ts'
import { setBit } from './bits.ts'
import type { TokenTrie } from './token-trie.ts'

/** Some nodes of a trie: all descendants of one node, or all nodes. */
interface Range {
  readonly from: number
  readonly to: number
  /** Bytes before them. */
  readonly depth: number
}

interface Ended {
  /** What may follow it. */
  readonly heads: readonly Head[]
  /** The nodes of the trie at which something with the same surroundings has ended. */
  readonly nodes: Set<number>
}

/**
 * Follows heads, and whatever may follow them, along a trie of texts. A part of the trie is left at the first byte that is not
 * allowed, which for structure is immediate.
 */
export class TrieWalk {
  readonly #automaton: Automaton
  readonly #trie: TokenTrie
  readonly #mask: Int32Array
  /** What has ended, by its surroundings. */
  readonly #ended = new Map<Frames, Ended>()
  /** By what begins behind a node: the nodes behind which it cannot. */
  readonly #barren = new Map<Piece, Set<number>>()
  /** States along a traversal, by depth of nested traversals. */
  readonly #ways: Int32Array[] = []

  /** @param mask receives the texts all of whose bytes are allowed */
  constructor(automaton: Automaton, trie: TokenTrie, mask: Int32Array) {
    this.#automaton = automaton
    this.#trie = trie
    this.#mask = mask
  }

  add(head: Head): void {
    this.#walk(head, { from: 0, to: this.#trie.size, depth: 0 }, 0)
  }

  /**
   * @param nested traversals that contain this one
   * @returns whether any byte was allowed
   */
  #walk(head: Head, { from, to, depth: before }: Range, nested: number): boolean {
    const { bytes, depths, ids, skips } = this.#trie
    const { piece } = head
    const way = this.#way(nested)
    way[before] = head.state
    let hasBegun = false
    for (let node = from; node < to;) {
      const depth = depths[node]!
      const next = piece.step(way[depth]!, bytes[node]!)
      if (next < 0) {
        node = skips[node]!
        continue
      }
      hasBegun = true
      if (ids[node]! >= 0) setBit(this.#mask, ids[node]!)
      const end = skips[node]!
      if (end > node + 1 && piece.isDone(next)) this.#follow(head, next, node, nested)
      way[depth + 1] = next
      node = piece.goesOn(next) ? node + 1 : end
    }
    return hasBegun
  }

  /** Follows what may come behind a piece that has ended at a node. */
  #follow(head: Head, state: number, node: number, nested: number): void {
    const range = {
      from: node + 1,
      to: this.#trie.skips[node]!,
      depth: this.#trie.depths[node]! + 1,
    }
    for (const next of this.#headsBehind(head, state, node)) {
      const barren = next.state === next.piece.start ? this.#barrenFor(next.piece) : undefined
      if (barren?.has(node)) continue
      if (!this.#walk(next, range, nested + 1)) barren?.add(node)
    }
  }

  /**
   * Nothing where something with the same surroundings has ended already: of many alternatives, such as ranges of numbers, each
   * would have all of them follow it again. What follows a key depends on the key.
   */
  #headsBehind(head: Head, state: number, node: number): readonly Head[] {
    const { piece, frames } = head
    if (piece instanceof KeyText) return this.#automaton.behind(head, state).heads
    const ended = this.#ended.get(frames) ?? {
      heads: this.#automaton.behind(head, state).heads,
      nodes: new Set<number>(),
    }
    this.#ended.set(frames, ended)
    return ended.nodes.size < ended.nodes.add(node).size ? ended.heads : []
  }

  #barrenFor(piece: Piece): Set<number> {
    const nodes = this.#barren.get(piece) ?? new Set<number>()
    this.#barren.set(piece, nodes)
    return nodes
  }

  #way(nested: number): Int32Array {
    return (this.#ways[nested] ??= new Int32Array(this.#trie.longest + 1))
  }
}
