import { describe, expect, it } from 'vitest'
import { LateMeter } from './late-meter.ts'
import type { Meter, ReserveRequest, Settlement } from './meter.ts'

const request: ReserveRequest = {
  callId: 'next',
  limits: {},
  demand: { tokens: { least: 1, most: 1 }, images: { least: 0, most: 0 } },
  leaseMs: 1,
}
const settlement = (callId: string): Settlement => ({
  callId,
  ending: 'answered',
  usage: undefined,
  images: 0,
  ms: 1,
})

function setUp() {
  const calls: string[] = []
  const inner: Meter = {
    async reserve(keyId) {
      calls.push(`reserve ${keyId}`)
      return { granted: true, standings: [], reserved: { tokens: 0, images: 0 } }
    },
    async settle(keyId, { callId }) {
      calls.push(`settle ${keyId} ${callId}`)
    },
    async usage(keyId) {
      calls.push(`usage ${keyId}`)
      return []
    },
  }
  return { meter: new LateMeter(inner), calls }
}

describe('LateMeter', () => {
  it('settles at once what an answer waits for, and the rest afterwards', async () => {
    const { meter, calls } = setUp()
    const late = meter.settle('a', settlement('late'), false)
    const urgent = meter.settle('a', settlement('urgent'), true)
    expect(calls).toEqual(['settle a urgent'])
    await Promise.all([late, urgent])
    expect(calls).toEqual(['settle a urgent', 'settle a late'])
  })

  it('sends what is on its way once more only to whoever asks for usage', async () => {
    const { meter, calls } = setUp()
    const urgent = meter.settle('a', settlement('one'), true)
    const asked = Promise.all([meter.reserve('a', request), meter.reserve('a', request)])
    const range = { from: '2026-11-22', to: '2026-11-22' }
    await Promise.all([urgent, asked, meter.usage('a', range)])
    expect(calls).toEqual(['settle a one', 'reserve a', 'reserve a', 'settle a one', 'usage a'])
  })

  it('settles before it is asked about the same key again, and lets other keys pass', async () => {
    const { meter, calls } = setUp()
    const late = meter.settle('a', settlement('one'), false)
    await meter.reserve('b', request)
    expect(calls).toEqual(['reserve b'])
    await meter.reserve('a', request)
    expect(calls).toEqual(['reserve b', 'settle a one', 'reserve a'])
    await meter.reserve('a', request)
    expect(calls.slice(3)).toEqual(['reserve a'])
    await late
    calls.length = 0
    await meter.usage('a', { from: '2026-11-22', to: '2026-11-22' })
    expect(calls).toEqual(['usage a'])
  })
})
