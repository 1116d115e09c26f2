import type { PatternTables } from '../grammar.ts'
import type { CharacterTrie, LabelTrie } from './character-trie.ts'
import { NodeValues } from './node-values.ts'
import { StateBlocks } from './state-blocks.ts'
import { heightsOf, skipsOf } from './token-trie.ts'

/** The tokens as one pattern sees them. */
export interface PatternTokens {
  /** As `CharacterTrie.reads`. */
  readonly reads: Int16Array
  /** Those that may stay in its strings. */
  readonly staying: LabelTrie
  /** The same as `reads`, but by label of this trie instead of the characters' trie. */
  readonly stayingReads: Int16Array
  readonly blocks: StateBlocks
  /** Size of what is not shared with other patterns. */
  readonly bytes: number
}

/**
 * Nodes times classes of a trie of classes. Beyond that, merging takes longer than it saves, because hardly any two
 * tokens are the same.
 */
const mostCells = 2 ** 18

/**
 * Merges tokens that are the same sequence of a pattern's character classes, which leaves far fewer paths to follow
 * from a state of the pattern. The memory for merging is kept for the next pattern, because allocating it takes longer
 * than merging itself.
 */
export class ClassMerger {
  readonly #characters: CharacterTrie
  /** [nodes, classes] the child, or 0. */
  readonly #children: Int32Array
  readonly #ids: NodeValues

  /** @param cells nodes times classes to allocate room for */
  constructor(characters: CharacterTrie, cells = mostCells) {
    this.#characters = characters
    this.#children = new Int32Array(cells)
    this.#ids = new NodeValues(characters.staying.values.values.length)
  }

  tokens(tables: PatternTables): PatternTokens {
    const { classes, decoder, free } = tables
    const { staying } = this.#characters
    const reads = this.#characters.reads(decoder)
    // Where everything is free, no trie is traversed.
    const merged = free.includes(0) ? this.#merge(reads, classes) : undefined
    const blocks = new StateBlocks(tables)
    if (merged === undefined) {
      const bytes = reads.byteLength + blocks.bytes
      return { reads, staying, stayingReads: reads, blocks, bytes }
    }
    const states = decoder.table.length / 256
    const stayingReads = Int16Array.from({ length: classes + states }, (_, label) =>
      label < classes ? -2 - label : label - classes,
    )
    const bytes = reads.byteLength + stayingReads.byteLength + bytesOf(merged) + blocks.bytes
    return { reads, staying: merged, stayingReads, blocks, bytes }
  }

  /**
   * @returns a trie whose labels are classes and, numbered above them, states of the decoder within a partial character
   */
  #merge(reads: Int16Array, classes: number): LabelTrie | undefined {
    const { labels, depths, skips, values, longest } = this.#characters.staying
    const draft = new Draft(this.#children, classes)
    this.#ids.clear()
    // By depth: the draft's node for the characters before.
    const nodes = new Int32Array(longest + 2)
    for (let at = 1; at < labels.length;) {
      const read = reads[labels[at]!]!
      if (read === -1) {
        at = skips[at]!
        continue
      }
      const depth = depths[at]!
      const before = nodes[depth]!
      const node = read < 0 ? draft.child(before, -2 - read) : draft.add(before, classes + read)
      if (node < 0) return undefined
      nodes[depth + 1] = node
      const index = values.from[at]!
      if (values.from[at + 1]! > index) this.#ids.add(node, values.values[index]!)
      at += 1
    }
    return draft.finish(this.#ids)
  }
}

function bytesOf({ labels, depths, skips, heights, values }: LabelTrie): number {
  const arrays = [labels, depths, skips, heights, values.from, values.values]
  return arrays.reduce((sum, { byteLength }) => sum + byteLength, 0)
}

/** A trie that grows. */
class Draft {
  readonly #labels = [0]
  readonly #depths = [0]
  readonly #firstChild = [-1]
  readonly #nextSibling = [-1]
  readonly #classes: number
  readonly #children: Int32Array

  constructor(children: Int32Array, classes: number) {
    this.#children = children.fill(0)
    this.#classes = classes
  }

  /** The child for a character of a class; -1 if there is no room for it. */
  child(node: number, index: number): number {
    const cell = node * this.#classes + index
    const known = this.#children[cell]!
    if (known !== 0) return known
    const child = this.add(node, index)
    if (child >= 0) this.#children[cell] = child
    return child
  }

  /** A new, separate child; -1 if there is no room for it. */
  add(node: number, label: number): number {
    const child = this.#labels.length
    if ((child + 1) * this.#classes > this.#children.length) return -1
    this.#labels.push(label)
    this.#depths.push(this.#depths[node]! + 1)
    this.#firstChild.push(-1)
    this.#nextSibling.push(this.#firstChild[node]!)
    this.#firstChild[node] = child
    return child
  }

  /** Reorders nodes so that each node's descendants directly follow it. */
  finish(ids: NodeValues): LabelTrie {
    const { nodes, places } = this.#inOrder()
    const depths = Uint16Array.from(nodes, (node) => this.#depths[node]!)
    return {
      labels: nodes.map((node) => this.#labels[node]!),
      depths,
      skips: skipsOf(depths),
      heights: heightsOf(depths),
      values: ids.byPlace(places),
      longest: depths.reduce((longest, depth) => Math.max(longest, depth), 0),
    }
  }

  #inOrder(): { readonly nodes: Int32Array; readonly places: Int32Array } {
    const nodes = new Int32Array(this.#labels.length)
    const places = new Int32Array(this.#labels.length)
    const open = [0]
    for (let place = 0; place < nodes.length; place++) {
      const node = open.pop()!
      nodes[place] = node
      places[node] = place
      let child = this.#firstChild[node]!
      for (; child >= 0; child = this.#nextSibling[child]!) open.push(child)
    }
    return { nodes, places }
  }
}
