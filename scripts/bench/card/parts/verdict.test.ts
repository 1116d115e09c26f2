import { expect, it } from 'vitest'
import type { Missing, PartResult } from './part.ts'
import { verdictOf } from './verdict.ts'

const row = { name: 'a', value: '1', ratio: '', data: {} }
const comparing = new Set(['golden', 'checks'])

function part(name: string, missing: Partial<Missing> = {}, rows = [row]): PartResult {
  return { name, seconds: 1, rows, missing: { problem: undefined, leftOut: [], ...missing } }
}

const codeOf = (...results: PartResult[]) => verdictOf(results, comparing).exitCode

it('tells wrong answers from answers for which there was no time', () => {
  expect(codeOf(part('golden'), part('checks'), part('load', { problem: 'lost' }))).toBe(0)
  expect(codeOf(part('load'))).toBe(0)
  expect(codeOf(part('golden', { problem: 'other texts' }), part('checks'))).toBe(1)
  expect(codeOf(part('golden'), part('checks', { problem: 'x', leftOut: ['y'] }))).toBe(1)
  expect(codeOf(part('golden'), part('checks', { leftOut: ['forks'] }))).toBe(3)
  expect(codeOf(part('golden', { leftOut: ['golden'] }, []))).toBe(3)
})

it('says what was done, what failed and what there was no time for', () => {
  const results = [
    part('golden'),
    part('load', { problem: 'out of memory' }),
    part('checks', { leftOut: ['forks', 'drafts'] }),
    part('requests', { leftOut: ['requests'] }, []),
  ]
  expect(verdictOf(results, comparing).text).toBe(
    [
      'The answers are right, as far as there was time to compare them.',
      'Done: golden.',
      'Failed: load.',
      'Not or not wholly done for lack of time: checks, requests.',
    ].join('\n'),
  )
  const none = verdictOf([part('golden', { leftOut: ['golden'] }, [])], comparing)
  expect(none.text).toMatch(/^NO ANSWERS WERE COMPARED/)
})
