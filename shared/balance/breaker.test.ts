import { describe, expect, it } from 'vitest'
import { afterFailure, afterSuccess, newBreaker, shareOf, type Breaker } from './breaker.ts'

const open: Breaker = { phase: 'open', until: 1_500, waitMs: 500 }

describe('afterFailure()', () => {
  it('opens at once for a backend that cannot be reached', () => {
    expect(afterFailure(newBreaker, 'unreachable', 1_000)).toEqual(open)
  })

  it('opens as fast for one that is silent, and says why until it fails otherwise', () => {
    const silent = afterFailure(newBreaker, 'silent', 1_000)
    expect(silent).toEqual({ ...open, silent: true })
    expect(afterFailure(silent, 'unreachable', 1_500)).toEqual({
      phase: 'open',
      until: 2_500,
      waitMs: 1_000,
    })
  })

  it('opens after five faults in a row, and not before', () => {
    let breaker = newBreaker
    for (let fault = 1; fault <= 4; fault += 1) breaker = afterFailure(breaker, 'fault', 1_000)
    expect(breaker).toMatchObject({ phase: 'closed', faults: 4 })
    expect(afterFailure(breaker, 'fault', 1_000)).toEqual(open)
    const forgiven = afterFailure(afterSuccess(breaker, 1_000), 'fault', 1_000)
    expect(forgiven).toMatchObject({ phase: 'closed', faults: 1 })
  })

  it('doubles the wait when a probe fails, up to ten seconds', () => {
    let breaker: Breaker = open
    const waits = Array.from({ length: 6 }, () => {
      const now = breaker.phase === 'open' ? breaker.until : 0
      breaker = afterFailure(breaker, 'unreachable', now)
      return breaker.phase === 'open' && breaker.waitMs
    })
    expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 10_000, 10_000])
  })

  it('learns nothing from the many requests that fail together', () => {
    expect(afterFailure(open, 'unreachable', 1_499)).toBe(open)
  })
})

describe('shareOf()', () => {
  it('is whole for a backend that never was away', () => {
    expect(shareOf(newBreaker, 0)).toBe(1)
  })

  it('grows from a tenth to the whole in the ten seconds after it came back', () => {
    const back = afterSuccess(open, 2_000)
    const shares = [2_000, 3_000, 7_000, 12_000, 99_000].map((now) => shareOf(back, now))
    expect(shares).toEqual([0.1, 0.1, 0.5, 1, 1])
  })
})
