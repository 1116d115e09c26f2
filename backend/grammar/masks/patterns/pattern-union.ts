import { addBits, clearBits } from '../bits.ts'
import type { LabelTrie } from '../character-trie.ts'
import { Follower, mostDepths, type PatternPlace } from './follower.ts'

/** Patterns that are followed together: one bit each. */
const mostFollowers = 32

/**
 * The tokens that stay in a string of at least one of several patterns. Their trie is traversed once for all patterns, along
 * with one that allows what leads to a node; the others are followed only where that one allows nothing.
 * @param all mask of the tokens that stay in any string
 */
export function insideOfAny(places: readonly PatternPlace[], all: Int32Array): Int32Array {
  const mask = new Int32Array(all.length)
  for (const trie of new Set(places.map(({ tokens }) => tokens.trie))) {
    const sameTokens = places.filter(({ tokens }) => tokens.trie === trie)
    // What has more states is likelier to allow more.
    sameTokens.sort((one, other) => sizeOf(other) - sizeOf(one))
    for (let from = 0; from < sameTokens.length; from += mostFollowers) {
      const inside = all.slice()
      new Union(inside, trie, sameTokens.slice(from, from + mostFollowers)).excludeOthers()
      addBits(mask, inside)
    }
  }
  return mask
}

function sizeOf({ piece }: PatternPlace): number {
  return piece.tables.table.length
}

class Union {
  readonly #mask: Int32Array
  readonly #trie: LabelTrie
  /** By depth: the latest node of the trie. */
  readonly #path: Int32Array
  readonly #followers: readonly Follower[]
  /** [depths, labels]: bits of the followers that never allow a label at some depth, found out when needed. */
  readonly #excluded: Int32Array
  readonly #isKnown: Uint8Array
  readonly #labels: number

  constructor(mask: Int32Array, trie: LabelTrie, places: readonly PatternPlace[]) {
    this.#mask = mask
    this.#trie = trie
    const path = new Int32Array(trie.longest + 2)
    this.#path = path
    this.#followers = places.map((place) => new Follower(place, path))
    this.#labels = places[0]!.tokens.reads.length
    this.#excluded = new Int32Array((mostDepths + 1) * this.#labels)
    this.#isKnown = new Uint8Array(this.#excluded.length)
  }

  /** Leaves out of the mask the tokens that no follower allows. */
  excludeOthers(): void {
    const none = ~(-1 >>> (mostFollowers - this.#followers.length))
    this.#follow(1, this.#trie.labels.length, none)
  }

  /**
   * Leaves out what is not allowed at the nodes from `from` up to `to`, which are siblings and their descendants.
   * @param out bits of the followers that allow nothing there
   */
  #follow(from: number, to: number, out: number): void {
    const { labels, depths, skips } = this.#trie
    const path = this.#path
    const { leader, others } = this.#leaderAt(depths[from]!, out)
    if (leader === undefined) return this.#exclude(from, to)
    const { reads, piece, way, refused } = leader
    const { table, classes, free } = piece.tables
    for (let at = from; at < to;) {
      const depth = depths[at]!
      const skip = skips[at]!
      if (skip > at + 1 && refused?.allowsAll(way[depth]!, at) === true) {
        at = skip
        continue
      }
      path[depth] = at
      const read = reads[labels[at]!]!
      const node =
        read < -1 ? table[way[depth]! * classes - 2 - read]! : leader.within(way[depth]!, read)
      if (node < 0) {
        const rest = others | this.#excludedAt(depth, labels[at]!)
        if (rest === -1) this.#exclude(at, skip)
        else this.#follow(at, skip, rest)
        at = skip
        continue
      }
      way[depth + 1] = node
      at = free[node] === 1 ? skip : at + 1
    }
  }

  #exclude(from: number, to: number): void {
    const { values } = this.#trie
    clearBits(this.#mask, values.values, values.from[from]!, values.from[to]!)
  }

  /** The first follower that allows the path up to a depth; and bits of all that are out if it is, too. */
  #leaderAt(depth: number, out: number) {
    let others = out
    while (others !== -1) {
      const next = ~others & (others + 1)
      const follower = this.#followers[31 - Math.clz32(next)]!
      others |= next
      if (follower.reaches(depth)) return { leader: follower, others }
    }
    return { leader: undefined, others }
  }

  #excludedAt(depth: number, label: number): number {
    if (depth > mostDepths) return 0
    const cell = depth * this.#labels + label
    if (this.#isKnown[cell] === 0) {
      this.#isKnown[cell] = 1
      for (const [index, follower] of this.#followers.entries())
        if (!follower.mayAllow(depth, label)) this.#excluded[cell]! |= 1 << index
    }
    return this.#excluded[cell]!
  }
}
