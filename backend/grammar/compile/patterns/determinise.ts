import { CharBase, type CharSet } from 'refa'
import { hasBit, setBit, wordsFor } from '../../masks/bits.ts'
import type { PatternBudget } from './pattern-budget.ts'
import type { Positions } from './positions.ts'

/** A DFA over atoms: disjoint sets of characters that make up all sets of a pattern. */
export interface AtomDfa {
  readonly atoms: readonly CharSet[]
  /** [states, atoms]: the next state, or -1. State 0 is the first. */
  readonly table: Int32Array
  /** [states] */
  readonly accepting: Uint8Array
}

/** States times atoms: a fifth of a second. */
const maxCells = 1_000_000

/**
 * A state is a set of positions. All that read a character follow one of the sets before, so the next states are what
 * follows, once for each state, intersected with the positions of each atom.
 * @throws {RangeError} with a message for the author of the pattern, when there are too many states
 */
export function determinise({ sets, following, ends }: Positions, budget: PatternBudget): AtomDfa {
  const words = wordsFor(sets.length)
  const { atoms, readers } = atomsOf(sets, words)
  const ending = bitsOf(ends, words)
  const states = new States(budget)
  states.of(bitsOf([0], words))
  const table: number[] = []
  const [next, read] = [new Int32Array(words), new Int32Array(words)]
  // The list grows while it is read.
  for (const state of states.list) {
    if (table.length > maxCells) {
      throw new RangeError('a pattern that distinguishes too many characters in too many places')
    }
    unite(state, following, next)
    for (const reader of readers) {
      for (let word = 0; word < words; word++) read[word] = next[word]! & reader[word]!
      table.push(states.of(read))
    }
  }
  const accepting = Uint8Array.from(states.list, (state) => (meet(state, ending) ? 1 : 0))
  return { atoms, table: Int32Array.from(table), accepting }
}

/** @returns the atoms, and the positions that read each of them, as sets of bits */
function atomsOf(sets: readonly CharSet[], words: number) {
  const base = new CharBase(new Set(sets))
  const readers = base.sets.map(() => new Int32Array(words))
  const parts = new Map(Array.from(new Set(sets), (set) => [set, base.split(set)]))
  for (const [position, set] of sets.entries()) {
    for (const atom of parts.get(set)!) setBit(readers[atom]!, position)
  }
  return { atoms: base.sets, readers }
}

/** Sets of positions, each once. */
class States {
  readonly list: Int32Array[] = []
  readonly #budget: PatternBudget
  /** By hash. */
  readonly #numbers = new Map<number, number[]>()

  constructor(budget: PatternBudget) {
    this.#budget = budget
  }

  /** @returns -1 for the empty set */
  of(positions: Int32Array): number {
    const hash = hashOf(positions)
    if (hash === 0 && positions.every((word) => word === 0)) return -1
    const known = this.#numbers.get(hash) ?? []
    const number = known.find((one) => areEqual(this.list[one]!, positions))
    if (number !== undefined) return number
    this.#budget.takeState()
    known.push(this.list.length)
    this.#numbers.set(hash, known)
    return this.list.push(positions.slice()) - 1
  }
}

function hashOf(words: Int32Array): number {
  let hash = 0
  for (let at = 0; at < words.length; at++) {
    hash = Math.imul(hash ^ words[at]!, 0x9e37_79b1)
    hash ^= hash >>> 15
  }
  return hash
}

function areEqual(one: Int32Array, other: Int32Array): boolean {
  for (let at = 0; at < one.length; at++) if (one[at] !== other[at]) return false
  return true
}

function bitsOf(positions: readonly number[], words: number): Int32Array {
  const bits = new Int32Array(words)
  for (const position of positions) setBit(bits, position)
  return bits
}

function meet(one: Int32Array, other: Int32Array): boolean {
  return one.some((word, at) => (word & other[at]!) !== 0)
}

/** @param united receives the sets of all members of a set */
function unite(members: Int32Array, sets: readonly Int32Array[], united: Int32Array): void {
  united.fill(0)
  for (let member = 0; member < sets.length; member++) {
    if (!hasBit(members, member)) continue
    const set = sets[member]!
    for (let word = 0; word < united.length; word++) united[word]! |= set[word]!
  }
}
