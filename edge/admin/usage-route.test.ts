import { Hono } from 'hono'
import { describe, expect, it } from 'vitest'
import { errorResponse, toServiceError, type ErrorBody } from '../../shared/api/errors.ts'
import { testKeys } from '../../test/support/edges/test-keys.ts'
import type { DayRange } from '../limits/meter.ts'
import type { EdgeEnv } from '../calls/context.ts'
import { usageRoute } from './usage-route.ts'

function setUp() {
  const clock = { ms: Date.UTC(2026, 10, 23, 12) }
  const asked: [string, DayRange][] = []
  const meter = {
    async usage(keyId: string, range: DayRange) {
      asked.push([keyId, range])
      return []
    },
  }
  const { keyStore, wallClock } = testKeys('root-key', clock)
  const app = new Hono<EdgeEnv>()
  app.onError((error) => errorResponse(toServiceError(error), 'a-request'))
  app.route('/', usageRoute({ keyStore, wallClock, meter }))
  return { asked, get: (query: string) => app.request(`/admin/usage${query}`) }
}

describe('GET /admin/usage', () => {
  it('asks for thirty days that end today, or where it is said', async () => {
    const { asked, get } = setUp()
    await get('')
    await get('?to=2026-03-01&key_id=a')
    expect(asked).toEqual([
      ['default', { from: '2026-10-25', to: '2026-11-23' }],
      ['a', { from: '2026-01-31', to: '2026-03-01' }],
    ])
  })

  it.each([
    ['?from=2026-11-24', 'from'],
    ['?from=2026-11-02&to=2026-11-01', 'from'],
    ['?from=yesterday', 'from'],
    ['?to=2026-02-30', 'to'],
    ['?limit=41', 'limit'],
    ['?after=aaaaaaaaaaaa', 'after'],
    ['?key=a', 'key'],
  ])('refuses %s', async (query, param) => {
    const { asked, get } = setUp()
    const response = await get(query)
    const { error } = (await response.json()) as ErrorBody
    expect([response.status, error.code, error.param]).toEqual([400, 'invalid_field', param])
    expect(asked).toEqual([])
  })
})
