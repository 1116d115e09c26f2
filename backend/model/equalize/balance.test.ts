import { describe, expect, it } from 'vitest'
import { balance } from './balance.ts'

const ones = (count: number) => new Float64Array(count).fill(1)
const withValues = (values: Record<number, number>) =>
  Object.assign(ones(16), values) as Float64Array

describe('balance()', () => {
  it.each([16, 64, 256, 1024])('takes back a factor of %i that weights undo', (factor) => {
    const shifts = balance(withValues({ 3: factor }), withValues({ 3: 1 / factor }))
    expect(shifts).toEqual({ 3: Math.log2(factor) })
  })

  it('takes a factor back from half of the channels', () => {
    const half = Object.fromEntries(Array.from({ length: 8 }, (_, i) => [2 * i, 256]))
    const weights = Object.fromEntries(Object.keys(half).map((c) => [c, 1 / 256]))
    const shifts = Object.fromEntries(Object.keys(half).map((c) => [c, 8]))
    expect(balance(withValues(half), withValues(weights))).toEqual(shifts)
  })

  it('enlarges a channel whose weights are large because it is small', () => {
    expect(balance(withValues({ 3: 1 / 64 }), withValues({ 3: 64 }))).toEqual({ 3: -6 })
  })

  it('shares what only the channel has, or only its weights, between both', () => {
    expect(balance(withValues({ 3: 256 }), ones(16))).toEqual({ 3: 4 })
    expect(balance(ones(16), withValues({ 3: 256 }))).toEqual({ 3: -4 })
  })

  it('leaves ordinary channels alone, and small ones with ordinary weights', () => {
    expect(balance(withValues({ 1: 5, 2: 0.3 }), withValues({ 3: 4, 4: 0.2 }))).toEqual({})
    expect(balance(withValues({ 3: 1 / 1024 }), ones(16))).toEqual({})
    expect(balance(ones(16), withValues({ 3: 1 / 1024 }))).toEqual({})
  })

  it('moves a channel with small weights half way, if it may be larger than estimated', () => {
    const weights = withValues({ 3: 1 / 1024, 4: 1 / 4, 5: 1 / 16 })
    expect(balance(ones(16), weights, true)).toEqual({ 3: 5, 5: 2 })
    expect(balance(withValues({ 3: 1024 }), weights, true)).toEqual({ 3: 10, 5: 2 })
    expect(balance(withValues({ 3: 1 / 1024 }), ones(16), true)).toEqual({})
  })

  it('leaves channels alone that are always zero, or that nothing takes', () => {
    expect(balance(withValues({ 3: 0, 4: 1024 }), withValues({ 4: 0 }))).toEqual({})
    expect(balance(new Float64Array(4), ones(4))).toEqual({})
  })
})
