import { describe, expect, it } from 'vitest'
import { createTestEdge, errorOf } from '../../test/support/edges/test-edge.ts'

describe('keys that are not valid', () => {
  const setUp = () => {
    let address = '2001:db8::1'
    const { post, lines, clock } = createTestEdge({ clientAddress: () => address })
    const ask = async (key: string, from: string) => {
      address = from
      const headers = { 'x-api-key': key, 'content-type': 'application/json' }
      return post('/generate/text', { prompt: 'Hi' }, { headers })
    }
    return { ask, lines, clock }
  }

  it('are braked by network, for a minute; valid ones of the same network pass', async () => {
    const { ask, lines, clock } = setUp()
    for (let attempt = 0; attempt < 100; attempt += 1) {
      expect((await ask(`wrong-${attempt}`, `2001:db8::${attempt}`)).status).toBe(401)
    }
    clock.ms = 15_000
    const braked = await ask('wrong-100', '2001:db8::ffff')
    expect(braked.headers.get('retry-after')).toBe('45')
    expect(await errorOf(braked)).toEqual([429, 'rate_limited', null])
    expect(lines.at(-1)).toMatchObject({ address: '2001:db8::ffff', code: 'rate_limited' })
    expect((await ask('right-key', '2001:db8::1')).status).toBe(200)
    expect((await ask('wrong', '2001:db8:0:1::1')).status).toBe(401)
    clock.ms = 60_000
    expect((await ask('wrong', '2001:db8::1')).status).toBe(401)
  })

  it('count for all routes together', async () => {
    const { app } = createTestEdge({ clientAddress: () => '192.0.2.1' })
    const headers = { 'x-api-key': 'wrong' }
    const statuses: number[] = []
    for (let attempt = 0; attempt < 102; attempt += 1) {
      const path = attempt % 2 === 0 ? '/admin/keys' : '/admin/usage'
      statuses.push((await app.request(path, { headers })).status)
    }
    expect(statuses.slice(-3)).toEqual([401, 429, 429])
  })

  it('are refused without counting where there is no address', async () => {
    const { app } = createTestEdge()
    const headers = { 'x-api-key': 'wrong' }
    const ask = async () => (await app.request('/admin/keys', { headers })).status
    for (let attempt = 0; attempt < 110; attempt += 1) expect(await ask()).toBe(401)
  })
})
