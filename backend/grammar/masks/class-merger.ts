import type { PatternTables } from '../grammar.ts'
import type { LabelTrie } from './character-trie.ts'
import { NodeValues } from './node-values.ts'
import { heightsOf, skipsOf } from './token-trie.ts'

/** Tokens that may stay in strings of a pattern, merged as far as one of its regions allows. */
export interface MergedTokens {
  readonly trie: LabelTrie
  /** By label of the trie, as `CharacterTrie.reads`; of several that are the same here, one. */
  readonly reads: Int16Array
}

/**
 * Nodes times labels of a merged trie. Beyond that, merging takes longer than it saves, because hardly any two
 * tokens are the same.
 */
const mostCells = 2 ** 18

/**
 * Merges tokens that are the same sequence of character classes, which leaves far fewer paths to follow from a state of
 * a pattern. The memory for merging is kept for the next time, because allocating it takes longer than merging itself.
 */
export class ClassMerger {
  /** [nodes, labels] the child, or 0, which is everywhere unless something is being merged. */
  readonly #children: Int32Array
  readonly #values: NodeValues

  /**
   * @param expected number of tokens
   * @param cells nodes times labels to allocate room for
   */
  constructor(expected: number, cells = mostCells) {
    this.#children = new Int32Array(cells)
    this.#values = new NodeValues(expected)
  }

  /**
   * @param source of the same pattern, which tells apart whatever the region does
   * @returns undefined when there is no room
   */
  merge(source: MergedTokens, tables: PatternTables, region: number): MergedTokens | undefined {
    const merged = this.begin(source, tables, region).advance(Infinity)
    return merged === 'unfinished' ? undefined : merged
  }

  /**
   * Nothing else may be merged until all is, or it is given up.
   * @param source of the same pattern, which tells apart whatever the region does
   */
  begin(source: MergedTokens, tables: PatternTables, region: number): Merging {
    const { labelOf, reads } = labelsOf(source.reads, tables, region)
    return new Merging(source.trie, labelOf, reads, this.#begin(reads.length))
  }

  /**
   * @param labelOf by label: the one that replaces it, below `different`; -1 for those that are left out
   * @returns undefined when there is no room
   */
  mergeBy(source: LabelTrie, labelOf: Int32Array, different: number): LabelTrie | undefined {
    const merged = new Merging(source, labelOf, new Int16Array(), this.#begin(different)).advance(
      Infinity,
    )
    return merged === 'unfinished' ? undefined : merged?.trie
  }

  #begin(different: number): Room {
    this.#values.clear()
    return { draft: new Draft(this.#children, different), values: this.#values }
  }
}

interface Room {
  readonly draft: Draft
  readonly values: NodeValues
}

/** Tokens that are being merged. */
export class Merging {
  readonly #source: LabelTrie
  readonly #labelOf: Int16Array | Int32Array
  readonly #reads: Int16Array
  readonly #room: Room
  /** By depth: the draft's node for the labels before. */
  readonly #nodes: Int32Array
  /** The next node of the source. */
  #next = 1

  /**
   * @param labelOf by label: the one that replaces it; -1 for those that are left out
   * @param reads by label that replaces others
   */
  constructor(source: LabelTrie, labelOf: Int16Array | Int32Array, reads: Int16Array, room: Room) {
    this.#source = source
    this.#labelOf = labelOf
    this.#reads = reads
    this.#room = room
    this.#nodes = new Int32Array(source.longest + 2)
  }

  /**
   * Merges what is at the next nodes of the source.
   * @param most so many nodes, leaving out those below labels that are left out
   * @returns undefined when there is no room
   */
  advance(most: number): MergedTokens | 'unfinished' | undefined {
    const { labels, depths, skips, values } = this.#source
    const { draft, values: merged } = this.#room
    const labelOf = this.#labelOf
    const nodes = this.#nodes
    let at = this.#next
    for (let count = 0; at < labels.length && count < most; count++) {
      const label = labelOf[labels[at]!]!
      if (label < 0) {
        at = skips[at]!
        continue
      }
      const depth = depths[at]!
      const node = draft.child(nodes[depth]!, label)
      if (node < 0) return this.giveUp()
      nodes[depth + 1] = node
      const end = values.from[at + 1]!
      for (let index = values.from[at]!; index < end; index++)
        merged.add(node, values.values[index]!)
      at += 1
    }
    this.#next = at
    if (at < labels.length) return 'unfinished'
    return { trie: draft.finish(merged), reads: this.#reads }
  }

  giveUp(): undefined {
    this.#room.draft.clear()
  }
}

/**
 * Numbers what a region tells apart: classes of characters, and partial characters by the classes they may still be of.
 * @returns for each label of the source, a new one; -1 where nothing is allowed
 */
function labelsOf(
  source: Int16Array,
  { classes, decoder, regions }: PatternTables,
  region: number,
) {
  const numbering = regions.classes.subarray(region * classes, (region + 1) * classes)
  const known = new Map<string, number>()
  const reads: number[] = []
  const numberOf = (name: string, read: number) => {
    const number = known.get(name) ?? reads.length
    if (number === reads.length) reads.push(read)
    known.set(name, number)
    return number
  }
  const byRead = new Map<number, number>([[-1, -1]])
  const labelOf = source.map((read) => {
    let label = byRead.get(read)
    if (label !== undefined) return label
    const open = read < 0 ? numbering.subarray(-2 - read, -1 - read) : openTo(read)
    const name = [...new Set(open)]
      .filter((number) => number >= 0)
      .toSorted((a, b) => a - b)
      .join()
    label = name === '' ? -1 : numberOf(read < 0 ? name : `(${name})`, read)
    byRead.set(read, label)
    return label
  })
  /** Which of the region's classes a partial character may become. */
  function openTo(within: number): Int16Array {
    return numbering.filter((_, index) => decoder.least[within * classes + index]! < 255)
  }
  return { labelOf, reads: Int16Array.from(reads) }
}

/** A trie that grows. */
class Draft {
  readonly #labels = [0]
  readonly #depths = [0]
  readonly #firstChild = [-1]
  readonly #nextSibling = [-1]
  readonly #different: number
  readonly #children: Int32Array

  /** @param different number of labels */
  constructor(children: Int32Array, different: number) {
    this.#children = children
    this.#different = different
  }

  /** The child for a label; -1 if there is no room for it. */
  child(node: number, label: number): number {
    const cell = node * this.#different + label
    const known = this.#children[cell]!
    if (known !== 0) return known
    const child = this.#labels.length
    if ((child + 1) * this.#different > this.#children.length) return -1
    this.#labels.push(label)
    this.#depths.push(this.#depths[node]! + 1)
    this.#firstChild.push(-1)
    this.#nextSibling.push(this.#firstChild[node]!)
    this.#firstChild[node] = child
    this.#children[cell] = child
    return child
  }

  /** Leaves the memory for children as empty as it was. */
  clear(): void {
    this.#children.fill(0, 0, this.#labels.length * this.#different)
  }

  /** Reorders nodes so that each node's descendants directly follow it. */
  finish(ids: NodeValues): LabelTrie {
    this.clear()
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
