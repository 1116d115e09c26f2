import { describe, expect, it } from 'vitest'
import { hasClearRoom, Headroom } from './headroom.ts'
import type { Decision, Demand, Standing } from './meter.ts'

const key = { id: 'shop', scopes: [], limits: { requestsPerMinute: 100, tokensPerDay: 1_000 } }
const demand: Demand = { tokens: { least: 1, most: 50 }, images: { least: 0, most: 0 } }

function granted(requests: number, tokens: number): Decision {
  const standings: Standing[] = [
    { name: 'requestsPerMinute', limit: 100, remaining: requests, resetMs: 1 },
    { name: 'tokensPerDay', limit: 1_000, remaining: tokens, resetMs: 1 },
  ]
  return { granted: true, standings, reserved: { tokens: 0, images: 0 } }
}

function setUp() {
  const clock = { ms: 0 }
  const headroom = new Headroom(() => clock.ms)
  const hear = (decision: Decision) => headroom.listen('shop', demand, async () => decision)
  return { clock, headroom, hear }
}

describe('Headroom', () => {
  it('is clear from the start for a key without limits only', () => {
    const { headroom } = setUp()
    expect(headroom.isClearFor({ ...key, limits: {} }, demand)).toBe(true)
    expect(headroom.isClearFor(key, demand)).toBe(false)
  })

  it.each([
    [51, 550, true],
    [50, 550, false],
    [51, 549, false],
  ])('needs half of each limit beyond the call (%i requests, %i tokens)', async (...given) => {
    const [requests, tokens, expected] = given
    const { headroom, hear } = setUp()
    await hear(granted(requests, tokens))
    expect(headroom.isClearFor(key, demand)).toBe(expected)
  })

  it('counts what others have asked for and not heard of yet', async () => {
    const { headroom, hear } = setUp()
    await hear(granted(53, 1_000))
    const grants: (() => void)[] = []
    const ask = () =>
      headroom.listen(
        'shop',
        demand,
        () => new Promise((resolve) => grants.push(() => resolve(granted(52, 1_000)))),
      )
    const asked = [ask(), ask()]
    expect(headroom.isClearFor(key, demand)).toBe(true)
    asked.push(ask())
    expect(headroom.isClearFor(key, demand)).toBe(false)
    for (const grant of grants) grant()
    await Promise.all(asked)
    expect(headroom.isClearFor(key, demand)).toBe(true)
  })

  it('forgets what it heard a minute ago, and what it heard of other limits', async () => {
    const { clock, headroom, hear } = setUp()
    await hear(granted(99, 999))
    const raised = { ...key, limits: { ...key.limits, tokensPerDay: 2_000 } }
    expect(headroom.isClearFor(raised, demand)).toBe(false)
    clock.ms += 60_000
    expect(headroom.isClearFor(key, demand)).toBe(true)
    clock.ms += 1
    expect(headroom.isClearFor(key, demand)).toBe(false)
  })

  it('outlives a reservation that fails', async () => {
    const { headroom, hear } = setUp()
    await hear(granted(51, 999))
    const failing = headroom.listen('shop', demand, () => Promise.reject(new Error('disk full')))
    await expect(failing).rejects.toThrow('disk full')
    expect(headroom.isClearFor(key, demand)).toBe(true)
  })
})

describe('hasClearRoom()', () => {
  const nothing = { tokens: 0, images: 0 }

  it('asks for half of every limit', () => {
    expect(hasClearRoom({ ...granted(50, 500), reserved: nothing })).toBe(true)
    expect(hasClearRoom({ ...granted(50, 499), reserved: nothing })).toBe(false)
    expect(hasClearRoom({ standings: [], reserved: { tokens: 4_000, images: 16 } })).toBe(true)
  })

  it.each([
    ['concurrentRequests', 500, 255, false],
    ['concurrentRequests', 500, 256, true],
    ['concurrentRequests', 1_000, 499, false],
    ['tokensPerDay', 50_000, 25_599, false],
    ['tokensPerDay', 50_000, 25_600, true],
    ['imagesPerDay', 600, 511, false],
    ['imagesPerDay', 600, 512, true],
    ['requestsPerMinute', 100, 50, true],
  ] as const)(
    'asks for 256 times what the call holds of %s (%i, %i left)',
    (name, limit, remaining, expected) => {
      const standings: Standing[] = [{ name, limit, remaining, resetMs: undefined }]
      expect(hasClearRoom({ standings, reserved: { tokens: 100, images: 2 } })).toBe(expected)
    },
  )
})
