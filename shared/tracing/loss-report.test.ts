import { expect, it } from 'vitest'
import { LossReport } from './loss-report.ts'

it('reports lost spans at most once a minute, and each only once', () => {
  const losses = new LossReport()
  const line = (dropped: number, failed: number, now: number) =>
    losses.line({ sent: 1, dropped, failed }, now)?.['spans']
  expect(line(0, 0, 0)).toBeUndefined()
  expect(line(3, 1, 1_000)).toBe(4)
  expect(line(3, 2, 2_000)).toBeUndefined()
  expect(line(3, 2, 61_000)).toBe(1)
  expect(line(3, 2, 200_000)).toBeUndefined()
})
