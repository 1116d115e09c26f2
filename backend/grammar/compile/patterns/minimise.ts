import type { AtomDfa } from './determinise.ts'

type Table = Pick<AtomDfa, 'table' | 'accepting'>

/**
 * The smallest equivalent DFA (Hopcroft 1971), without transitions to states from which no text ends. States are numbered in
 * the order in which they are found.
 */
export function minimise({ table, accepting }: Table): Table {
  const states = accepting.length
  const width = table.length / states
  const blockOf = new Partition({ table, accepting }, width).refine()
  const useless = blockOf[states]!
  const numbers = new Map<number, number>([[blockOf[0]!, 0]])
  const examples = [0]
  const cells: number[] = []
  // The list grows while it is read.
  for (const state of examples) {
    for (let atom = 0; atom < width; atom++) {
      const target = table[state * width + atom]!
      const block = target < 0 ? useless : blockOf[target]!
      if (block !== useless && !numbers.has(block)) numbers.set(block, examples.push(target) - 1)
      cells.push(block === useless ? -1 : numbers.get(block)!)
    }
  }
  return {
    table: Int32Array.from(cells),
    accepting: Uint8Array.from(examples, (state) => accepting[state]!),
  }
}

/** Blocks of states that are not told apart yet. One more state stands for what is not allowed. */
class Partition {
  readonly #width: number
  /** By state and atom: where the states that lead there begin in `sources`. */
  readonly #from: Int32Array
  readonly #sources: Int32Array
  /** The states of a block are adjacent here. */
  readonly #order: Int32Array
  readonly #places: Int32Array
  readonly #blockOf: Int32Array
  /** By block. */
  readonly #starts: number[]
  readonly #ends: number[]
  /** States of a block that have been moved to its front. */
  readonly #moved: number[]
  readonly #waiting: Set<number>

  constructor({ table, accepting }: Table, width: number) {
    const states = accepting.length + 1
    this.#width = width
    ;({ from: this.#from, sources: this.#sources } = sourcesOf(table, states, width))
    const all = [...Array(states).keys()]
    const [ending, others] = [true, false].map((ends) =>
      all.filter((state) => (accepting[state] === 1) === ends),
    ) as [number[], number[]]
    this.#order = Int32Array.from([...ending, ...others])
    this.#places = new Int32Array(states)
    for (const [place, state] of this.#order.entries()) this.#places[state] = place
    this.#blockOf = Int32Array.from(all, (state) => (accepting[state] === 1 ? 0 : 1))
    this.#starts = [0, ending.length]
    this.#ends = [ending.length, states]
    this.#moved = [0, 0]
    this.#waiting = new Set([ending.length < others.length ? 0 : 1])
  }

  /** @returns the block of each state */
  refine(): Int32Array {
    // The set grows while it is read.
    for (const block of this.#waiting) {
      this.#waiting.delete(block)
      const members = this.#order.slice(this.#starts[block], this.#ends[block])
      for (let atom = 0; atom < this.#width; atom++) this.#splitBy(members, atom)
    }
    return this.#blockOf
  }

  /** Tells apart which states lead to one of some states. */
  #splitBy(members: Int32Array, atom: number): void {
    const touched = new Set<number>()
    for (const member of members) {
      const cell = member * this.#width + atom
      for (let index = this.#from[cell]!; index < this.#from[cell + 1]!; index++) {
        touched.add(this.#moveToFront(this.#sources[index]!))
      }
    }
    for (const block of touched) this.#split(block)
  }

  #moveToFront(state: number): number {
    const block = this.#blockOf[state]!
    const place = this.#starts[block]! + this.#moved[block]!++
    const other = this.#order[place]!
    this.#order[this.#places[state]!] = other
    this.#places[other] = this.#places[state]!
    this.#order[place] = state
    this.#places[state] = place
    return block
  }

  /** Makes a block of those at the front. The smaller of both blocks is enough to tell others apart. */
  #split(block: number): void {
    const [start, end] = [this.#starts[block]!, this.#ends[block]!]
    const middle = start + this.#moved[block]!
    this.#moved[block] = 0
    if (middle === end) return
    const added = this.#starts.push(start) - 1
    this.#ends.push(middle)
    this.#moved.push(0)
    this.#starts[block] = middle
    for (const state of this.#order.subarray(start, middle)) this.#blockOf[state] = added
    const isFewer = middle - start < end - middle
    this.#waiting.add(this.#waiting.has(block) || isFewer ? added : block)
  }
}

function sourcesOf(table: Int32Array, states: number, width: number) {
  const nowhere = states - 1
  const cellOf = (cell: number) => {
    const target = table[cell] ?? nowhere
    return (target < 0 ? nowhere : target) * width + (cell % width)
  }
  const from = new Int32Array(states * width + 1)
  for (let cell = 0; cell < states * width; cell++) from[cellOf(cell) + 1]! += 1
  for (let cell = 0; cell < states * width; cell++) from[cell + 1]! += from[cell]!
  const next = from.slice()
  const sources = new Int32Array(states * width)
  for (let cell = 0; cell < states * width; cell++) {
    sources[next[cellOf(cell)]!++] = Math.floor(cell / width)
  }
  return { from, sources }
}
