import { describe, expect, it } from 'vitest'
import { formatPatterns } from '../schema/formats.ts'
import { PatternBudget } from './pattern-budget.ts'
import { dfaOfPattern } from './pattern-dfa.ts'
import { restricting } from './text-lengths.ts'

function restrictingFor(pattern: string, min: number, max: number) {
  const { count: classes, table, accepting } = dfaOfPattern(pattern, new PatternBudget())
  return restricting({ classes, table, accepting }, { min, max })
}

describe('restricting()', () => {
  it.each([
    ['^a{3,5}$', 3, 5],
    ['^(?:ab|cde)?$', 0, 3],
    ['^$', 0, 0],
    ['^(?:x|[a-z]{2}-[0-9]{1,3})$', 1, 6],
    ['^😀{2}$', 2, 2],
  ])('drops lengths that each text of %s has anyway, and no others', (pattern, least, most) => {
    expect(restrictingFor(pattern, least, most)).toEqual({ min: 0, max: Infinity })
    expect(restrictingFor(pattern, least + 1, most)).toEqual({ min: least + 1, max: Infinity })
    expect(restrictingFor(pattern, 0, most - 1)).toEqual({ min: 0, max: most - 1 })
  })

  it.each(['^a*$', '^a+b$', 'ab', '^(?:ab)*c$'])('keeps any limit of %s', (pattern) => {
    expect(restrictingFor(pattern, 0, 1_000)).toEqual({ min: 0, max: 1_000 })
  })

  it('makes nothing of the lengths that pydantic gives a URL', () => {
    const bounds = restrictingFor(formatPatterns.get('uri')!, 1, 2_083)
    expect(bounds).toEqual({ min: 0, max: Infinity })
  })
})
