import { describe, expect, it } from 'vitest'
import { fakeModelInfo } from '../../../test/support/inference/fake-model.ts'
import { kvTokensOf } from './cache-limits.ts'

const info = { ...fakeModelInfo, slots: 4, contextTokens: 131_072, cacheBytesPerToken: 62_208 }

describe('kvTokensOf()', () => {
  it('gives each slot the usual length where memory is plenty', () => {
    expect(kvTokensOf(undefined, info, 64e9)).toBe(4 * 8192)
  })

  it('gives each slot the whole context of a model with a short one', () => {
    expect(kvTokensOf(undefined, { ...info, contextTokens: 2048 }, 64e9)).toBe(4 * 2048)
  })

  it('takes no more than half of the free memory', () => {
    expect(kvTokensOf(undefined, info, 1e9)).toBe(Math.floor(0.5e9 / 62_208))
  })

  it('leaves room for a short request however little memory there is', () => {
    expect(kvTokensOf(undefined, info, 1e6)).toBe(1024)
  })

  it('takes the number it is given, and at 0 all that the slots may need', () => {
    expect(kvTokensOf(5000, info, 1e6)).toBe(5000)
    expect(kvTokensOf(0, info, 1e6)).toBe(4 * 131_072)
  })
})
