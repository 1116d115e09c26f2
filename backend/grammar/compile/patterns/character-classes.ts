/** A DFA over classes of code points: no state tells those of one class apart. */
export interface CharacterDfa {
  /** Number of classes. */
  readonly count: number
  /** Where intervals of one class begin, from 0 on, in ascending order. */
  readonly starts: Int32Array
  /** The class of each interval; -1 where no state leads anywhere. */
  readonly classes: Int32Array
  /** [states, count]: the next state, or -1. State 0 is the first. */
  readonly table: Int32Array
  /** [states] */
  readonly accepting: Uint8Array
}

/** A DFA over atoms, several of which may be the same to all of its states. */
export interface UnmergedDfa {
  /** Number of atoms. */
  readonly count: number
  /** Where intervals of one atom begin, from 0 on, in ascending order. */
  readonly starts: readonly number[]
  /** The atom of each interval; -1 for characters of none. */
  readonly atoms: readonly number[]
  /** [states, count] */
  readonly table: Int32Array
  readonly accepting: Uint8Array
}

/** Merges atoms into classes, which are numbered in the order of their first characters. */
export function byClasses({ count, starts, atoms, table, accepting }: UnmergedDfa): CharacterDfa {
  const columns = columnsOf(table, count)
  const classOf = new Map<number, number>([[-1, -1]])
  const examples: number[] = []
  const intervals = { starts: [] as number[], classes: [] as number[] }
  for (const [interval, atom] of atoms.entries()) {
    const column = atom < 0 ? -1 : columns[atom]!
    if (!classOf.has(column)) classOf.set(column, examples.push(atom) - 1)
    const found = classOf.get(column)!
    if (found === intervals.classes.at(-1)) continue
    intervals.starts.push(starts[interval]!)
    intervals.classes.push(found)
  }
  const merged = new Int32Array(accepting.length * examples.length)
  for (let cell = 0; cell < merged.length; cell++) {
    const state = Math.floor(cell / examples.length)
    merged[cell] = table[state * count + examples[cell % examples.length]!]!
  }
  return {
    count: examples.length,
    starts: Int32Array.from(intervals.starts),
    classes: Int32Array.from(intervals.classes),
    table: merged,
    accepting,
  }
}

/** By atom: equal numbers for equal columns, -1 for those that lead nowhere. */
function columnsOf(table: Int32Array, count: number): Int32Array {
  const columns = new Int32Array(count).fill(-1)
  const states = table.length / count
  for (let state = 0; state < states; state++) {
    const finer = new Map<number, number>()
    for (let atom = 0; atom < count; atom++) {
      const target = table[state * count + atom]!
      if (columns[atom] === -1 && target < 0) continue
      const name = (columns[atom]! + 1) * (states + 1) + target + 1
      const known = finer.get(name)
      columns[atom] = known ?? finer.size
      if (known === undefined) finer.set(name, finer.size)
    }
  }
  return columns
}
