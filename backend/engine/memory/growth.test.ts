import { describe, expect, it } from 'vitest'
import { allCanEnd, type Share } from './growth.ts'

const share = (held: number, claim: number): Share => ({ held, claim })

describe('allCanEnd()', () => {
  it('takes what fits at once', () => {
    expect(allCanEnd([], 0)).toBe(true)
    expect(allCanEnd([share(4, 4), share(6, 6)], 10)).toBe(true)
    expect(allCanEnd([share(4, 4), share(7, 7)], 10)).toBe(false)
  })

  it('takes claims beyond the limit as long as one after the other can be met', () => {
    expect(allCanEnd([share(2, 10), share(4, 6)], 10)).toBe(true)
    expect(allCanEnd([share(2, 10), share(4, 9)], 10)).toBe(false)
    expect(allCanEnd([share(1, 10), share(1, 8)], 10)).toBe(true)
    expect(allCanEnd([share(1, 10), share(1, 10)], 10)).toBe(false)
  })

  it('refuses one claim that is over the limit', () => {
    expect(allCanEnd([share(0, 11)], 10)).toBe(false)
  })

  it('keeps any mix of growing sequences from blocking each other', () => {
    let seed = 1
    const random = (below: number) => (seed = (seed * 48271) % 2147483647) % below
    for (let round = 0; round < 300; round++) {
      const limit = 20
      const waiting = Array.from({ length: 12 }, () => share(1 + random(4), 5 + random(16)))
      let running: Share[] = []
      for (let turn = 0; waiting.length + running.length > 0; turn++) {
        expect(turn).toBeLessThan(2000)
        const before = running
        if (waiting.length > 0 && allCanEnd([...running, waiting[0]!], limit)) {
          running = [...running, waiting.shift()!]
        }
        running.forEach((current, index) => {
          const grown = share(current.held + 1, current.claim)
          const others = running.with(index, grown)
          if (current.held < current.claim && allCanEnd(others, limit)) running = others
        })
        expect(running.reduce((sum, { held }) => sum + held, 0)).toBeLessThanOrEqual(limit)
        expect(running).not.toEqual(before)
        running = running.filter(({ held, claim }) => held < claim)
      }
    }
  })
})
