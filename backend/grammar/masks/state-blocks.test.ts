import { expect, it } from 'vitest'
import type { PatternTables } from '../grammar.ts'
import { compileGrammar } from '../compile/compile-grammar.ts'
import { StateBlocks } from './state-blocks.ts'

function tablesOf(pattern: string, more: object = {}): PatternTables {
  const schema = JSON.stringify({ type: 'string', pattern, ...more })
  const { pieces } = compileGrammar({ type: 'json_schema', schema })
  return pieces.find((piece) => piece.kind === 'pattern')!
}

/** All texts of at most this many character classes that a state allows, one by one. */
function textsFrom({ classes, table }: PatternTables, state: number, characters: number): string[] {
  if (characters === 0) return ['']
  const one = [...Array(classes).keys()].flatMap((index) => {
    const target = table[state * classes + index]!
    if (target < 0) return []
    return textsFrom({ classes, table } as PatternTables, target, characters - 1).map(
      (text) => `${index},${text}`,
    )
  })
  return ['', ...one]
}

it.each(['^a{0,12}$', '^[a-z]+(?:-[a-z]{1,3}){0,2}$', '^(?:ab|ac|b[ab]){1,4}$'])(
  'compares states of %s as going through all texts does',
  (pattern) => {
    const tables = tablesOf(pattern)
    const states = [...tables.accepting.keys()]
    const blocks = new StateBlocks(tables)
    let equal = 0
    for (const characters of [1, 2, 3, 4, 5]) {
      const texts = states.map((state) => textsFrom(tables, state, characters).join())
      for (const one of states) {
        for (const other of states) {
          const agree = blocks.agree(one, other, characters)
          expect({ one, other, characters, agree }).toEqual({
            one,
            other,
            characters,
            agree: texts[one] === texts[other],
          })
          if (agree && one !== other) equal += 1
        }
      }
    }
    expect(equal).toBeGreaterThan(0)
  },
)

it('knows states that allow the same whatever the length, and does not claim to know of longer texts', () => {
  const endless = new StateBlocks(tablesOf('^[a-z]+$'))
  expect(endless.agree(0, 1, 1_000)).toBe(true)
  const counting = new StateBlocks(tablesOf('^a{0,100}$'))
  expect(counting.agree(0, 1, 8)).toBe(true)
  expect(counting.agree(0, 1, 9)).toBe(false)
})

it('compares nothing where that would take long, but each state with itself', () => {
  const blocks = new StateBlocks(tablesOf('^(?:[a-e]|[f-j]x)*$', { maxLength: 4_000 }))
  expect(blocks.bytes).toBe(0)
  expect(blocks.agree(5, 6, 1)).toBe(false)
  expect(blocks.agree(5, 6, 0)).toBe(true)
  expect(blocks.agree(5, 5, 100)).toBe(true)
})
