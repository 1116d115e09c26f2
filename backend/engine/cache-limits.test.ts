import { describe, expect, it } from 'vitest'
import { fakeModelInfo } from '../../test/support/fake-model.ts'
import { defaultKvTokens } from './cache-limits.ts'

const info = { ...fakeModelInfo, slots: 4, contextTokens: 131_072, cacheBytesPerToken: 62_208 }

describe('defaultKvTokens()', () => {
  it('gives each slot the usual length where memory is plenty', () => {
    expect(defaultKvTokens(info, 64e9)).toBe(4 * 8192)
  })

  it('gives each slot the whole context of a model with a short one', () => {
    expect(defaultKvTokens({ ...info, contextTokens: 2048 }, 64e9)).toBe(4 * 2048)
  })

  it('takes no more than half of the free memory', () => {
    expect(defaultKvTokens(info, 1e9)).toBe(Math.floor(0.5e9 / 62_208))
  })

  it('leaves room for a short request however little memory there is', () => {
    expect(defaultKvTokens(info, 1e6)).toBe(1024)
  })
})
