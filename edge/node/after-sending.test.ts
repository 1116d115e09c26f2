import { describe, expect, it } from 'vitest'
import type { Decision, Meter } from '../limits/meter.ts'
import { afterSending } from './after-sending.ts'

const granted: Decision = {
  granted: true,
  standings: [],
  reserved: { tokens: 0, images: 0 },
}
const request = {
  callId: 'call',
  limits: {},
  demand: { tokens: { least: 0, most: 1 }, images: { least: 0, most: 0 } },
  leaseMs: 1_000,
}

describe('afterSending()', () => {
  it('reserves once what is to be sent in this turn has been', async () => {
    const order: string[] = []
    const meter: Meter = {
      async reserve(keyId) {
        order.push(`reserve ${keyId}`)
        return granted
      },
      settle: async () => undefined,
      usage: async () => [],
    }
    setImmediate(() => order.push('send'))
    expect(await afterSending(meter).reserve('a', request)).toBe(granted)
    expect(order).toEqual(['send', 'reserve a'])
  })
})
