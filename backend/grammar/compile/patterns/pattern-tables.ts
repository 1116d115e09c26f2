import type { DecoderTables, PatternTables } from '../../grammar.ts'
import { maxPatternCells } from '../../limits.ts'
import { decoderOf } from './byte-decoder.ts'
import type { CharacterDfa } from './character-classes.ts'
import { regionsOf } from './regions.ts'
import { restricting, type ClassDfa, type Lengths } from './text-lengths.ts'

/**
 * Strings that a DFA accepts and that have an allowed length.
 * @param decoderFor `decoderOf`, or something that remembers what it returned
 * @returns undefined when there are none
 * @throws {RangeError} with a message for the author of the pattern, when the tables would be too large
 */
export function patternTables(
  dfa: CharacterDfa,
  lengths: Lengths,
  decoderFor: (dfa: CharacterDfa) => DecoderTables = decoderOf,
): PatternTables | undefined {
  const { count: classes, table, accepting } = dfa
  if (table.length > maxPatternCells) throw new RangeError('a pattern that is too large')
  const decoder = decoderFor(dfa)
  const uncounted = { classes, table, accepting }
  const counted = withLengths(uncounted, restricting(uncounted, lengths))
  const costs = decoder.least.subarray(0, classes)
  const least = leastOf(counted, costs)
  if (least[0] === unreachable) return undefined
  if (counted.accepting.length * (decoder.table.length / 256) > maxStates) {
    throw new RangeError('a pattern that is too large together with its characters')
  }
  const alive = withoutDeadEnds(counted, costs, least)
  const free = freeStates(alive, dfa.classes.includes(-1))
  return { kind: 'pattern', ...alive, free, least, decoder, regions: regionsOf(alive) }
}

/**
 * Combines each state with the number of characters before it; counting ends at `max` characters, or at `min` if
 * there is no maximum.
 */
function withLengths(dfa: ClassDfa, { min, max }: Lengths): ClassDfa {
  if (min === 0 && max === Infinity) return dfa
  const { classes, table } = dfa
  const last = max === Infinity ? min : max
  const states = new Map<number, number>([[0, 0]])
  const grown: number[] = []
  // The map grows while it is read; a name consists of a state and a count.
  for (const name of states.keys()) {
    const count = name % (last + 1)
    const row = Math.floor(name / (last + 1)) * classes
    const counts = max === Infinity ? Math.min(count + 1, last) : count + 1
    for (let index = 0; index < classes; index++) {
      const target = table[row + index]!
      grown.push(target < 0 || counts > last ? -1 : stateOf(states, target * (last + 1) + counts))
    }
    if (grown.length > maxPatternCells) {
      throw new RangeError('a pattern that becomes too large together with the lengths')
    }
  }
  const accepting = Uint8Array.from(states.keys(), (name) =>
    name % (last + 1) >= min ? dfa.accepting[Math.floor(name / (last + 1))]! : 0,
  )
  return { classes, table: Int32Array.from(grown), accepting }
}

function stateOf(states: Map<number, number>, name: number): number {
  const known = states.get(name)
  if (known !== undefined) return known
  states.set(name, states.size)
  return states.size - 1
}

const unreachable = 2 ** 30

/** States of the DFA times states of the decoder: rounded up to powers of two, they still fit into int32. */
const maxStates = 2 ** 28

/** Bytes to the end of the string by state, computed backwards from the accepting states. */
function leastOf({ classes, table, accepting }: ClassDfa, costs: Uint8Array): Int32Array {
  const least = Int32Array.from(accepting, (accepts) => (accepts === 1 ? 1 : unreachable))
  const sources = sourcesOf(table, classes, accepting.length)
  const queue = [...least.keys()].filter((state) => accepting[state] === 1)
  // The list grows while it is read.
  for (const state of queue) {
    for (const cell of sources[state]!) {
      const source = Math.floor(cell / classes)
      const cost = costs[cell % classes]!
      if (cost === 255 || least[state]! + cost >= least[source]!) continue
      least[source] = least[state]! + cost
      queue.push(source)
    }
  }
  return least
}

/** By state, the cells of the table that lead to it. */
function sourcesOf(table: Int32Array, classes: number, states: number): number[][] {
  const sources: number[][] = Array.from({ length: states }, () => [])
  for (let cell = 0; cell < classes * states; cell++) {
    if (table[cell]! >= 0) sources[table[cell]!]!.push(cell)
  }
  return sources
}

/** @param hasOthers whether there are characters of no class, which lead nowhere */
function freeStates({ classes, table, accepting }: ClassDfa, hasOthers: boolean): Uint8Array {
  if (hasOthers) return new Uint8Array(accepting.length)
  const free = new Uint8Array(accepting.length).fill(1)
  const sources = sourcesOf(table, classes, accepting.length)
  const queue = [...free.keys()].filter((state) =>
    table.subarray(state * classes, (state + 1) * classes).includes(-1),
  )
  for (const state of queue) free[state] = 0
  // The list grows while it is read.
  for (const state of queue) {
    for (const cell of sources[state]!) {
      const source = Math.floor(cell / classes)
      if (free[source] === 1) queue.push(source)
      free[source] = 0
    }
  }
  return free
}

function withoutDeadEnds(dfa: ClassDfa, costs: Uint8Array, least: Int32Array): ClassDfa {
  const { classes } = dfa
  const table = dfa.table.map((target, cell) =>
    target < 0 || least[target] === unreachable || costs[cell % classes] === 255 ? -1 : target,
  )
  return { ...dfa, table }
}
