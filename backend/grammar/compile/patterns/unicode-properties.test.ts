import { expect, it } from 'vitest'
import { maxCharacterProperties } from '../../limits.ts'
import { lastCodePoint, PatternBudget } from './pattern-budget.ts'
import { dfaOfPattern } from './pattern-dfa.ts'
import { propertiesOf } from './unicode-properties.ts'

/** Characters that a pattern of one character allows although this engine does not. */
function wrongIn(pattern: string): string[] {
  const { starts, classes, table } = dfaOfPattern(pattern, new PatternBudget())
  const expected = new RegExp(pattern, 'u')
  const wrong: string[] = []
  for (const [interval, from] of starts.entries()) {
    if ((table[classes[interval]!] ?? -1) < 0) continue
    const end = starts[interval + 1] ?? lastCodePoint + 1
    for (let codePoint = from; codePoint < end; codePoint++) {
      const text = String.fromCodePoint(codePoint)
      if (!expected.test(text)) wrong.push(codePoint.toString(16))
    }
  }
  return wrong
}

it.each(['^\\p{Ll}$', '^[^\\p{L}\\p{N}]$', '^\\P{Lo}$', '^[\\p{Extended_Pictographic}a]$'])(
  'what %s allows is what this engine allows, whose Unicode is newer',
  (pattern) => {
    expect(wrongIn(pattern)).toEqual([])
  },
)

it('finds properties, and no others', () => {
  const pattern = '\\\\p{a}[^\\p{Lu}\\P{Lu}]\\\\\\p{Script=Greek}+'
  expect(propertiesOf(pattern)).toEqual(['\\p{Lu}', '\\p{Script=Greek}'])
})

it('refuses a schema with too many of them', () => {
  const budget = new PatternBudget()
  const names = ['Lu', 'Ll', 'Lt', 'Lm', 'Lo', 'Mn', 'Mc', 'Me', 'Nd', 'Nl', 'No', 'Pc', 'Pd']
  for (const name of [...names, 'Ps', 'Pe', 'Pi']) dfaOfPattern(`^\\p{${name}}$`, budget)
  expect(() => dfaOfPattern('^\\p{Pf}$', budget)).toThrow(
    `more than ${maxCharacterProperties} different`,
  )
})
