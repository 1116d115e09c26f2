import { describe, expect, it } from 'vitest'
import { compileGrammar } from '../compile-grammar.ts'

function tablesOf(pattern: string) {
  const schema = JSON.stringify({ type: 'string', pattern })
  const { pieces } = compileGrammar({ type: 'json_schema', schema })
  return pieces.find((piece) => piece.kind === 'pattern')!
}

function reachableFrom(start: number, classes: number, table: Int32Array): number[] {
  const states = new Set([start])
  // The set grows while it is read.
  for (const state of states) {
    for (const target of table.subarray(state * classes, (state + 1) * classes)) {
      if (target >= 0) states.add(target)
    }
  }
  return [...states]
}

const patterns = [
  '^https?://(?:[a-z]{1,9}\\.){1,3}[a-z]{2,4}(?:/[a-z0-9._~-]{0,24}){0,2}$',
  '^[A-Z]{2}-[0-9]{1,3}$',
  '^(?:cat|dog|[a-z]{4})(?: [a-z]+){0,3}$',
  '^x|ab+',
  '^(?:[^\\p{L}]|é|\\n)*$',
  '^a*b*c*$',
]

describe('regionsOf()', () => {
  it.each(patterns)(
    'numbers the classes that a state of %s and those behind it tell apart',
    (pattern) => {
      const { classes, table, accepting, regions } = tablesOf(pattern)
      for (const state of accepting.keys()) {
        const rows = reachableFrom(state, classes, table).map((one) =>
          table.subarray(one * classes, (one + 1) * classes),
        )
        const columns = Array.from({ length: classes }, (_, index) =>
          rows.map((row) => row[index]!),
        )
        const living = columns.filter((column) => column.some((target) => target >= 0))
        const names = [...new Set(living.map((column) => column.join()))]
        const from = regions.ofState[state]! * classes
        expect([...regions.classes.subarray(from, from + classes)]).toEqual(
          columns.map((column) => names.indexOf(column.join())),
        )
      }
    },
  )

  it('has fewer classes behind a beginning that is given', () => {
    const { classes, regions } = tablesOf(patterns[0]!)
    const counts = Array.from(
      { length: regions.classes.length / classes },
      (_, region) =>
        1 + Math.max(...regions.classes.subarray(region * classes, (region + 1) * classes)),
    )
    expect(Math.max(...counts)).toBe(classes)
    expect(counts[regions.ofState.at(-1)!]).toBeLessThan(classes - 3)
  })
})
