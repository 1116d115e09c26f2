/** Values that belong to nodes of a trie, collected in any order. */
export class NodeValues {
  #nodes: Int32Array
  #values: Int32Array
  #count = 0

  /** @param expected expected number of values; there may be more */
  constructor(expected = 1024) {
    this.#nodes = new Int32Array(expected)
    this.#values = new Int32Array(expected)
  }

  clear(): void {
    this.#count = 0
  }

  add(node: number, value: number): void {
    if (this.#count === this.#nodes.length) {
      this.#nodes = grown(this.#nodes)
      this.#values = grown(this.#values)
    }
    this.#nodes[this.#count] = node
    this.#values[this.#count++] = value
  }

  /**
   * @param places a new index for each node
   * @returns the values by those indices; those of one node are in the order in which they were added
   */
  byPlace(places: Int32Array): ValuesByNode {
    const from = new Int32Array(places.length + 1)
    for (let index = 0; index < this.#count; index++) from[places[this.#nodes[index]!]! + 1]! += 1
    for (let place = 0; place < places.length; place++) from[place + 1]! += from[place]!
    const next = from.slice()
    const values = new Int32Array(this.#count)
    for (let index = 0; index < this.#count; index++) {
      values[next[places[this.#nodes[index]!]!]!++] = this.#values[index]!
    }
    return { values, from }
  }
}

/** Those of a node are `values` from `from[node]` up to `from[node + 1]`. */
export interface ValuesByNode {
  readonly values: Int32Array
  readonly from: Int32Array
}

function grown(values: Int32Array): Int32Array {
  const more = new Int32Array(4 * values.length + 1)
  more.set(values)
  return more
}
