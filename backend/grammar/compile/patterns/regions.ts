import type { RegionTables } from '../../grammar.ts'

/** States times classes up to which regions are looked for; a larger DFA is one region. */
const mostCells = 16_384

/** [classes] A smaller numbering of classes; -1 for those that lead nowhere. */
type Numbering = readonly number[]

interface Dfa {
  readonly classes: number
  /** [states, classes]: the next state, or -1. */
  readonly table: Int32Array
}

/**
 * The regions of a DFA: states from which the same classes of characters can never be told apart, nor those that lead
 * nowhere. `https?://[a-z.]+` distinguishes the letters of its scheme only until that is written.
 */
export function regionsOf({ classes, table }: Dfa): RegionTables {
  const states = table.length / classes
  if (table.length > mostCells) {
    return {
      ofState: new Uint16Array(states),
      classes: Int16Array.from({ length: classes }, (_, index) => index),
    }
  }
  const numberings = new Numberings()
  const of = Array.from({ length: states }, (_, state) =>
    numberings.of([...table.subarray(state * classes, (state + 1) * classes)]),
  )
  // What a state's successors distinguish, it does too. Successors mostly have higher numbers.
  for (let changes = true; changes;) {
    changes = false
    for (let state = states - 1; state >= 0; state--) {
      let joined = of[state]!
      for (let index = 0; index < classes; index++) {
        const target = table[state * classes + index]!
        if (target >= 0) joined = numberings.join(joined, of[target]!)
      }
      changes ||= joined !== of[state]
      of[state] = joined
    }
  }
  const used = [...new Set(of)]
  return tablesOf(
    of.map((id) => used.indexOf(id)),
    used.map((id) => numberings.list[id]!),
  )
}

function tablesOf(ofState: readonly number[], numberings: readonly Numbering[]): RegionTables {
  return { ofState: Uint16Array.from(ofState), classes: Int16Array.from(numberings.flat()) }
}

/** Different numberings, and which of them tells apart whatever one of two does. */
class Numberings {
  readonly list: Numbering[] = []
  readonly #ids = new Map<string, number>()
  readonly #joined = new Map<string, number>()

  /** @param names by class: equal ones are not told apart; negative ones lead nowhere */
  of(names: readonly number[]): number {
    const numbers = new Map<number, number>()
    const numbering = names.map((name) => {
      if (name < 0) return -1
      const number = numbers.get(name) ?? numbers.size
      numbers.set(name, number)
      return number
    })
    const key = numbering.join()
    const known = this.#ids.get(key)
    if (known !== undefined) return known
    this.#ids.set(key, this.list.length)
    return this.list.push(numbering) - 1
  }

  join(one: number, other: number): number {
    if (one === other) return one
    const key = `${one},${other}`
    const known = this.#joined.get(key)
    if (known !== undefined) return known
    const [ones, others] = [this.list[one]!, this.list[other]!]
    const joined = this.of(
      ones.map((name, index) => (name + 1) * (ones.length + 1) + others[index]!),
    )
    this.#joined.set(key, joined)
    return joined
  }
}
