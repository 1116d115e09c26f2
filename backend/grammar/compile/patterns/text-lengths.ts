/** The fewest and the most characters (code points) of a text. */
export interface Lengths {
  readonly min: number
  /** Infinity: no limit. */
  readonly max: number
}

/** A DFA over classes of characters: [states, classes], and which states accept. */
export interface ClassDfa {
  readonly classes: number
  readonly table: Int32Array
  readonly accepting: Uint8Array
}

/** @returns the given lengths without those that each text of a DFA has anyway */
export function restricting(dfa: ClassDfa, { min, max }: Lengths): Lengths {
  if (min === 0 && max === Infinity) return { min, max }
  const texts = lengthsOf(dfa)
  return { min: min <= texts.min ? 0 : min, max: max >= texts.max ? Infinity : max }
}

/** Of the texts of a DFA, none of whose states is useless. */
function lengthsOf({ classes, table, accepting }: ClassDfa): Lengths {
  const targets = Array.from(accepting, (_, state) => [
    ...new Set(table.subarray(state * classes, (state + 1) * classes).filter((to) => to >= 0)),
  ])
  const sources = Array.from(accepting, (): number[] => [])
  for (const [state, some] of targets.entries()) for (const to of some) sources[to]!.push(state)
  return { min: shortest(sources, accepting), max: longest(targets, sources) }
}

/** Breadth first, from the accepting states back to the first one. */
function shortest(sources: readonly number[][], accepting: Uint8Array): number {
  const lengths = new Map<number, number>()
  for (const [state, accepts] of accepting.entries()) if (accepts === 1) lengths.set(state, 0)
  // The map grows while it is read.
  for (const [state, length] of lengths) {
    for (const source of sources[state]!) if (!lengths.has(source)) lengths.set(source, length + 1)
  }
  return lengths.get(0) ?? Infinity
}

/** From the states without successors back to the first one, which is not reached when there is a circle. */
function longest(targets: readonly number[][], sources: readonly number[][]): number {
  const lengths = new Int32Array(targets.length)
  const left = targets.map((some) => some.length)
  const done = [...left.keys()].filter((state) => left[state] === 0)
  // The list grows while it is read.
  for (const state of done) {
    for (const source of sources[state]!) {
      lengths[source] = Math.max(lengths[source]!, lengths[state]! + 1)
      left[source]! -= 1
      if (left[source] === 0) done.push(source)
    }
  }
  return left[0] === 0 ? lengths[0]! : Infinity
}
