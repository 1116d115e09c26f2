import { lastCodePoint, type CharacterDfa } from './character-dfa.ts'

/** Code points that no node of a DFA distinguishes form one class. */
export interface CharacterClasses {
  readonly count: number
  /** Where intervals of one class begin, from 0 on, in ascending order. */
  readonly starts: Int32Array
  /** The class of each interval; -1 where no node leads anywhere. */
  readonly classes: Int32Array
  /** [nodes, count]: where a node leads, or -1. */
  readonly table: Int32Array
}

/** The most steps of refinement: nodes times intervals. */
const maxSteps = 4_000_000

/** @throws {RangeError} with a message for the author of the pattern, when there are too many */
export function classesOf(dfa: CharacterDfa): CharacterClasses {
  const starts = intervalStarts(dfa)
  if (starts.length * dfa.length > maxSteps) {
    throw new RangeError('a pattern that distinguishes too many characters in too many places')
  }
  const classes = refine(dfa, starts)
  return { starts, ...number(dfa, starts, classes) }
}

function intervalStarts(dfa: CharacterDfa): Int32Array {
  const starts = new Set([0])
  for (const { edges } of dfa) {
    for (const { from, to } of edges) {
      starts.add(from)
      if (to < lastCodePoint) starts.add(to + 1)
    }
  }
  return Int32Array.from(starts).toSorted()
}

/** @returns a class for each interval, not yet ordered */
function refine(dfa: CharacterDfa, starts: Int32Array): Int32Array {
  const classes = new Int32Array(starts.length)
  for (const node of dfa) {
    const targets = targetsOf(node.edges, starts)
    const finer = new Map<number, number>()
    for (let interval = 0; interval < starts.length; interval++) {
      const name = classes[interval]! * (dfa.length + 1) + targets[interval]! + 1
      let refined = finer.get(name)
      if (refined === undefined) finer.set(name, (refined = finer.size))
      classes[interval] = refined
    }
  }
  return classes
}

/** Where one node leads from each interval. */
function targetsOf(edges: CharacterDfa[number]['edges'], starts: Int32Array): Int32Array {
  const targets = new Int32Array(starts.length).fill(-1)
  let interval = 0
  for (const { from, to, target } of edges) {
    while (starts[interval]! < from) interval += 1
    while (interval < starts.length && starts[interval]! <= to) targets[interval++] = target
  }
  return targets
}

/** Numbers the classes that lead somewhere, from 0 on. */
function number(
  dfa: CharacterDfa,
  starts: Int32Array,
  found: Int32Array,
): Omit<CharacterClasses, 'starts'> {
  const rows = dfa.map(({ edges }) => targetsOf(edges, starts))
  const numbers = new Map<number, number>()
  const examples: number[] = []
  const classes = found.map((name, interval) => {
    const known = numbers.get(name)
    if (known !== undefined) return known
    const leads = rows.some((targets) => targets[interval]! >= 0)
    if (leads) examples.push(interval)
    numbers.set(name, leads ? examples.length - 1 : -1)
    return numbers.get(name)!
  })
  const table = Int32Array.from(
    rows.flatMap((targets) => examples.map((interval) => targets[interval]!)),
  )
  return { count: examples.length, classes, table }
}
