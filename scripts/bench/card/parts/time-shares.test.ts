import { describe, expect, it } from 'vitest'
import { afterRestart, beginningMs, limitOf } from './time-shares.ts'

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

it('gives the first part of a new process time to load the weights again', () => {
  const [x, y] = [
    { ...b, needsWeights: true },
    { ...c, needsWeights: true },
  ]
  const shares = (parts: readonly (typeof a)[]) => afterRestart(parts).map(({ share }) => share)
  expect(shares([a, x, y])).toEqual([10, expect.any(Number), 60])
  expect(shares([a, x, y])[1]).toBeGreaterThan(30)
  expect(shares([a, b])).toEqual([10, 30])
})
