import { expect, it } from 'vitest'
import { PatternBudget } from './pattern-budget.ts'
import { dfaOfPattern } from './pattern-dfa.ts'

it.each([
  ['^(?:a|b)*a(?:a|b){3}$', 16, 2],
  ['ab+', 3, 3],
  ['^a?a?a?a?$', 5, 1],
  ['^(?:abc|xbc|[pq]bc)$', 4, 3],
  ['^(?:a[]b|c)$', 2, 1],
  ['^(?:(?:a*)*)*$', 1, 1],
  ['^(?:[a-z]{1,9}){1,9}$', 82, 1],
  ['[]', 1, 0],
])('of %s has %i states, and %i classes of characters', (pattern, states, classes) => {
  const { accepting, count } = dfaOfPattern(pattern, new PatternBudget())
  expect([accepting.length, count]).toEqual([states, classes])
})
