import { describe, expect, it } from 'vitest'
import { noPhaseTimes, withLook, withStep } from './phase-times.ts'

describe('phase times', () => {
  it('count each step under what was in it, and add up', () => {
    const steps = [
      { decodeRows: 3, promptTokens: 0, ms: 10 },
      { decodeRows: 1, promptTokens: 0, ms: 5 },
      { decodeRows: 0, promptTokens: 64, ms: 20 },
      { decodeRows: 2, promptTokens: 64, ms: 30 },
      undefined,
    ]
    expect(steps.reduce(withStep, noPhaseTimes)).toEqual({
      decode: { count: 2, ms: 15 },
      prefill: { count: 1, ms: 20 },
      mixed: { count: 1, ms: 30 },
      vision: { count: 0, ms: 0 },
    })
  })

  it('count looks at pictures, if there was one', () => {
    const times = withLook(withLook(noPhaseTimes, 0, 7), 16, 40)
    expect(times.vision).toEqual({ count: 1, ms: 40 })
  })
})
