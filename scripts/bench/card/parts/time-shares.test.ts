import { describe, expect, it } from 'vitest'
import { beginningMs, limitOf } from './time-shares.ts'

const [a, b, c] = [
  { name: 'a', share: 10 },
  { name: 'b', share: 30 },
  { name: 'c', share: 60 },
]

describe('limitOf()', () => {
  it('gives each part its share, and what others did not need to all that follow', () => {
    expect(limitOf([a, b, c], 1000)).toBe(100)
    expect(limitOf([b, c], 900)).toBe(300)
    expect(limitOf([b, c], 990)).toBe(330)
    expect(limitOf([c], 250)).toBe(250)
  })

  it('never exceeds what is left, however little that is', () => {
    expect(limitOf([b, c], 90)).toBe(30)
    expect(limitOf([c], -5)).toBe(0)
  })
})

it('ends a part early enough for what it has begun', () => {
  expect(beginningMs(100)).toBeLessThan(100)
})
