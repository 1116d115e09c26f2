import { expect, it } from 'vitest'
import { steadyClock } from './steady-clock.ts'

it('measures what passes, however the time of day is set back and forth', () => {
  let wall = 10_000_000
  const now = steadyClock(() => wall)
  const start = now()
  const passed = [1_000, -3_600_000, 250, 3_600_000, -3_600_000, 50].map((step) => {
    wall += step
    return now() - start
  })
  expect(passed).toEqual([1_000, 1_000, 1_250, 3_601_250, 3_601_250, 3_601_300])
})
