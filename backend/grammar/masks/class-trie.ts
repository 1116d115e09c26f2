import type { PatternTables } from '../grammar.ts'
import { skipsOf, type TokenTrie } from './token-trie.ts'

const quote = 0x22

/**
 * Tokens as one pattern sees them from between two characters of its string: as sequences of classes of characters. Many
 * tokens are the same sequence, so that a state of the pattern has far fewer ways to follow than there are bytes.
 *
 * A node's descendants directly follow it; node 0 is the empty sequence.
 */
export class ClassTrie {
  /** By node: the class that leads here; or, above all classes, the state of the decoder in a character just begun. */
  readonly labels: Uint16Array
  /** By node: labels from the root to here. */
  readonly depths: Uint16Array
  /** The first node that is not a descendant. */
  readonly skips: Int32Array
  /** The tokens that end at a node are `ids` from `idsFrom[node]` up to `idsFrom[node + 1]`. */
  readonly ids: Int32Array
  readonly idsFrom: Int32Array
  /** The quotes that may follow a node, as nodes of the tokens' trie. */
  readonly quotes: Int32Array
  readonly quotesFrom: Int32Array
  readonly longest: number

  constructor(trie: TokenTrie, { classes, decoder }: PatternTables) {
    const draft = new Draft(classes)
    follow(draft, trie, decoder.table, classes)
    const order = draft.inOrder()
    this.labels = Uint16Array.from(order.nodes, (node) => draft.labels[node]!)
    this.depths = Uint16Array.from(order.depths)
    this.skips = skipsOf(this.depths)
    const places = new Int32Array(order.nodes.length)
    for (const [place, node] of order.nodes.entries()) places[node] = place
    ;[this.ids, this.idsFrom] = draft.ids.byPlace(places)
    ;[this.quotes, this.quotesFrom] = draft.quotes.byPlace(places)
    this.longest = this.depths.reduce((longest, depth) => Math.max(longest, depth), 0)
  }

  get size(): number {
    return this.labels.length
  }

  get bytes(): number {
    const arrays = [this.labels, this.depths, this.skips, this.ids, this.idsFrom, this.quotes]
    return arrays.reduce((sum, { byteLength }) => sum + byteLength, this.quotesFrom.byteLength)
  }
}

/** Adds every token that is legal within a string to the draft. */
function follow(draft: Draft, trie: TokenTrie, decoder: Int16Array, classes: number): void {
  const { bytes, depths, ids, skips, size, longest } = trie
  // By depth: the node of the characters before, and the decoder's state within the next one.
  const nodes = new Int32Array(longest + 1)
  const states = new Int32Array(longest + 1)
  for (let at = 0; at < size;) {
    const depth = depths[at]!
    let node = nodes[depth]!
    const read = decoder[(states[depth]! << 8) | bytes[at]!]!
    if (read === -1) {
      if (bytes[at] === quote && states[depth] === 0) draft.quotes.add(node, at)
      at = skips[at]!
      continue
    }
    if (read < -1) node = draft.child(node, -2 - read)
    const state = read < 0 ? 0 : read
    const id = ids[at]!
    if (id >= 0) draft.ids.add(state === 0 ? node : draft.child(node, classes + state), id)
    nodes[depth + 1] = node
    states[depth + 1] = state
    at += 1
  }
}

/** Up to this many classes, each node has a table: lookups are three times as fast, and it is small enough for a trie of all tokens. */
const mostClassesInTables = 8

/** A trie that grows. */
class Draft {
  readonly labels = [0]
  readonly ids = new NodeValues()
  readonly quotes = new NodeValues()
  readonly #parents = [-1]
  readonly #firstChild = [-1]
  readonly #nextSibling = [-1]
  /** Labels below this one are looked up in tables, all others in the hash table. */
  readonly #inTables: number
  /** [nodes, labels] the child, or 0. */
  #tables = new Int32Array(1024)
  /** A hash table with open addressing: a map of numbers takes ten times as long. */
  #slots = new Int32Array(1024)

  constructor(classes: number) {
    this.#inTables = classes <= mostClassesInTables ? classes : 0
  }

  child(node: number, label: number): number {
    return label < this.#inTables ? this.#inTable(node, label) : this.#hashed(node, label)
  }

  #inTable(node: number, label: number): number {
    const cell = node * this.#inTables + label
    const known = this.#tables[cell]!
    if (known !== 0) return known
    const child = this.#add(node, label)
    this.#tables[cell] = child
    return child
  }

  #hashed(node: number, label: number): number {
    const slot = this.#slotOf(node, label)
    const known = this.#slots[slot]!
    if (known !== 0) return known
    const child = this.#add(node, label)
    this.#slots[slot] = child
    if (2 * child > this.#slots.length) this.#growSlots()
    return child
  }

  /** Where the child is, or belongs. */
  #slotOf(node: number, label: number): number {
    const last = this.#slots.length - 1
    const mixed = Math.imul(node ^ (label << 20), 0x9e37_79b1)
    let slot = (mixed ^ (mixed >>> 15)) & last
    for (;;) {
      const child = this.#slots[slot]!
      if (child === 0 || (this.#parents[child] === node && this.labels[child] === label))
        return slot
      slot = (slot + 1) & last
    }
  }

  #add(node: number, label: number): number {
    const child = this.labels.push(label) - 1
    this.#parents.push(node)
    this.#firstChild.push(-1)
    this.#nextSibling.push(this.#firstChild[node]!)
    this.#firstChild[node] = child
    if ((child + 1) * this.#inTables > this.#tables.length) this.#tables = grown(this.#tables)
    return child
  }

  #growSlots(): void {
    this.#slots = new Int32Array(4 * this.#slots.length)
    for (let child = 1; child < this.labels.length; child++) {
      const label = this.labels[child]!
      if (label >= this.#inTables) this.#slots[this.#slotOf(this.#parents[child]!, label)] = child
    }
  }

  /** All nodes, each directly followed by its descendants. */
  inOrder(): { readonly nodes: readonly number[]; readonly depths: readonly number[] } {
    const nodes: number[] = []
    const depths: number[] = []
    const open = [{ node: 0, depth: 0 }]
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      const { node, depth } = next
      nodes.push(node)
      depths.push(depth)
      for (let child = this.#firstChild[node]!; child >= 0; child = this.#nextSibling[child]!) {
        open.push({ node: child, depth: depth + 1 })
      }
    }
    return { nodes, depths }
  }
}

/** Values that belong to nodes. */
class NodeValues {
  #nodes = new Int32Array(1024)
  #values = new Int32Array(1024)
  #count = 0

  add(node: number, value: number): void {
    if (this.#count === this.#nodes.length) {
      this.#nodes = grown(this.#nodes)
      this.#values = grown(this.#values)
    }
    this.#nodes[this.#count] = node
    this.#values[this.#count++] = value
  }

  /** @returns the values by the places of their nodes, and by place where they begin */
  byPlace(places: Int32Array): [values: Int32Array, from: Int32Array] {
    const from = new Int32Array(places.length + 1)
    for (let index = 0; index < this.#count; index++) from[places[this.#nodes[index]!]! + 1]! += 1
    for (let place = 0; place < places.length; place++) from[place + 1]! += from[place]!
    const next = from.slice()
    const values = new Int32Array(this.#count)
    for (let index = 0; index < this.#count; index++) {
      values[next[places[this.#nodes[index]!]!]!++] = this.#values[index]!
    }
    return [values, from]
  }
}

function grown(values: Int32Array): Int32Array<ArrayBuffer> {
  const more = new Int32Array(4 * values.length)
  more.set(values)
  return more
}
