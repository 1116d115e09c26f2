import { expect, it } from 'vitest'
import { Seldom } from './seldom.ts'

it('allows the same once in a while, and everything else', () => {
  let now = 0
  const seldom = new Seldom(1_000, () => now)
  const allowed = (ms: number, what: string) => {
    now = ms
    return seldom.allows(what)
  }
  expect([allowed(0, 'a'), allowed(1, 'b'), allowed(999, 'a'), allowed(1_000, 'a')]).toEqual([
    true,
    true,
    false,
    true,
  ])
})

it('forgets what it said long ago when there is too much', () => {
  const seldom = new Seldom(1_000, () => 0)
  for (let index = 0; index <= 1_000; index += 1) seldom.allows(`${index}`)
  expect([seldom.allows('0'), seldom.allows('1000')]).toEqual([true, false])
})
