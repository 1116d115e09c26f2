import { describe, expect, it } from 'vitest'
import { type Counts, decide } from './decide.ts'
import type { Demand } from './meter.ts'

const nowMs = Date.UTC(2026, 10, 22, 23, 59, 30, 250)
const second = Math.floor(nowMs / 1_000)
const nothing: Counts = { requests: [], tokens: [], running: 0, tokensToday: 0, imagesToday: 0 }
const text: Demand = { tokens: { least: 1, most: 500 }, images: { least: 0, most: 0 } }
const upload: Demand = { tokens: { least: 1, most: 500 }, images: { least: 1, most: 16 } }

describe('decide()', () => {
  it('grants everything to a key without limits, and sets aside the most', () => {
    const verdict = decide({}, { ...nothing, running: 1_000_000 }, upload, nowMs)
    expect(verdict).toEqual({ granted: true, standings: [], reserved: { tokens: 500, images: 16 } })
  })

  it('fills a limit to its last unit and not beyond', () => {
    const limits = { requestsPerMinute: 3, concurrentRequests: 2 }
    const requests = [{ second, amount: 2 }]
    expect(decide(limits, { ...nothing, requests, running: 1 }, text, nowMs)).toMatchObject({
      granted: true,
      standings: [
        { name: 'requestsPerMinute', limit: 3, remaining: 0, resetMs: 60_750 },
        { name: 'concurrentRequests', limit: 2, remaining: 0, resetMs: undefined },
      ],
    })
    expect(decide(limits, { ...nothing, requests, running: 2 }, text, nowMs)).toMatchObject({
      granted: false,
      refusal: { name: 'concurrentRequests', limit: 2, used: 2, needed: 1, waitMs: 1_000 },
      standings: [{ remaining: 1 }, { remaining: 0 }],
    })
  })

  it('sets aside what is left when a call may use more', () => {
    const limits = { tokensPerMinute: 1_000, tokensPerDay: 5_000, imagesPerDay: 20 }
    const counts = { ...nothing, tokens: [{ second, amount: 700 }], imagesToday: 18 }
    expect(decide(limits, counts, upload, nowMs)).toMatchObject({
      granted: true,
      reserved: { tokens: 300, images: 2 },
      standings: [{ remaining: 0 }, { remaining: 4_700 }, { remaining: 0, resetMs: 29_750 }],
    })
  })

  it('names the limit that takes longest, and the wait until just enough has left it', () => {
    const limits = { requestsPerMinute: 2, tokensPerMinute: 100, imagesPerDay: 1 }
    const counts = {
      ...nothing,
      requests: [
        { second: second - 10, amount: 1 },
        { second: second - 50, amount: 1 },
      ],
      tokens: [{ second: second - 5, amount: 100 }],
      imagesToday: 1,
    }
    expect(decide(limits, counts, text, nowMs)).toMatchObject({
      refusal: { name: 'tokensPerMinute', used: 100, needed: 1, waitMs: 55_750 },
    })
    const requestsOnly = decide({ requestsPerMinute: 2 }, counts, text, nowMs)
    expect(requestsOnly).toMatchObject({
      refusal: { waitMs: 10_750 },
      standings: [{ remaining: 0, resetMs: 50_750 }],
    })
    expect(decide({ imagesPerDay: 1 }, counts, upload, nowMs)).toMatchObject({
      refusal: { name: 'imagesPerDay', waitMs: 29_750 },
    })
  })

  it('promises no time to a call that never fits', () => {
    const five: Demand = { tokens: text.tokens, images: { least: 5, most: 5 } }
    expect(decide({ imagesPerDay: 4 }, nothing, five, nowMs)).toMatchObject({
      granted: false,
      refusal: { used: 0, needed: 5, waitMs: undefined },
    })
  })

  it('lets text pass where only images are used up, even beyond their limit', () => {
    const counts = { ...nothing, imagesToday: 7 }
    expect(decide({ imagesPerDay: 4 }, counts, text, nowMs)).toMatchObject({
      granted: true,
      reserved: { images: 0 },
      standings: [{ remaining: 0 }],
    })
  })
})
