import { expect, it } from 'vitest'
import { lowersAfterMs } from './lowers-after.ts'

it('lowersAfterMs() is at once where much work is expected, and otherwise once it has taken a second', () => {
  expect([0, 400, 999, 1_000, 60_000].map(lowersAfterMs)).toEqual([1_000, 1_000, 1_000, 0, 0])
})
