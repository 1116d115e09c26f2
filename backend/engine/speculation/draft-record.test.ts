import { describe, expect, it } from 'vitest'
import { DraftHistory, type DraftRecord } from './draft-record.ts'

function passOverUntilDue(record: DraftRecord): number {
  let count = 0
  for (; !record.isDue; count++) record.passOver()
  return count
}

describe('DraftRecord', () => {
  it('learns from what was accepted and from the first that was not', () => {
    const record = new DraftHistory().open()
    const first = record.acceptance
    record.verified(3, 3)
    const better = record.acceptance
    record.verified(3, 0)
    expect(better).toBeGreaterThan(first)
    expect(record.acceptance).toBeLessThan(better)
  })

  it.each([0, 0.25, 0.5, 1])('comes near a share of %d', (share) => {
    const record = new DraftHistory().open()
    for (let i = 0; i < 400; i++) record.verified(1, Number(i % 4 < 4 * share))
    expect(Math.abs(record.acceptance - share)).toBeLessThan(0.2)
  })

  it('counts nothing behind the first wrong one', () => {
    const [short, long] = [new DraftHistory().open(), new DraftHistory().open()]
    short.verified(2, 1)
    long.verified(7, 1)
    expect(long.acceptance).toBe(short.acceptance)
  })

  it('is tried again after a while, less and less often', () => {
    const record = new DraftHistory().open()
    const waits = Array.from({ length: 4 }, () => {
      const wait = passOverUntilDue(record)
      record.verified(2, 0)
      expect(record.isDue).toBe(false)
      return wait
    })
    expect(waits).toEqual([waits[0], 2 * waits[0]!, 4 * waits[0]!, 8 * waits[0]!])
    record.verified(2, 2)
    expect(passOverUntilDue(record)).toBe(waits[0])
  })

  it('waits no longer than for a thousand drafts', () => {
    const record = new DraftHistory().open()
    for (let i = 0; i < 20; i++) {
      expect(passOverUntilDue(record)).toBeLessThanOrEqual(1024)
      record.verified(1, 0)
    }
  })

  it('expects of a new sequence what the others have come to, but always something', () => {
    const history = new DraftHistory()
    const first = history.open().acceptance
    for (let i = 0; i < 200; i++) history.open().verified(4, 4)
    const good = history.open().acceptance
    for (let i = 0; i < 2_000; i++) history.open().verified(4, 0)
    const poor = history.open().acceptance
    expect(good).toBeGreaterThan(first)
    expect(poor).toBeLessThan(first)
    expect(poor).toBeGreaterThan(0.25)
  })
})
