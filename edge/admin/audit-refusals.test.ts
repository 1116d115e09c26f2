import { describe, expect, it } from 'vitest'
import { createTestEdge } from '../../test/support/edges/test-edge.ts'

describe('administration that is refused', () => {
  it.each([
    ['without a key', {}, 'missing_api_key', null],
    ['with a wrong one', { 'x-api-key': 'wrong' }, 'invalid_api_key', null],
    ['with a bad request', { 'x-api-key': 'right-key' }, 'not_found', 'default'],
  ])('leaves an audit line: %s', async (_how, headers, code, by_key_id) => {
    const { app, lines } = createTestEdge({ clientAddress: () => '192.0.2.1' })
    await app.request('/admin/keys/aaaaaaaaaaaa/revoke', { method: 'POST', headers })
    expect(lines[0]).toEqual({
      level: 'warn',
      message: 'audit',
      request_id: expect.any(String) as string,
      change: 'revokeKey refused',
      changed_key_id: 'aaaaaaaaaaaa',
      code,
      by_key_id,
      address: '192.0.2.1',
    })
  })

  it('does not write down what is no id', async () => {
    const { app, lines } = createTestEdge()
    await app.request('/admin/keys/dsk_secret', { headers: { 'x-api-key': 'right-key' } })
    expect(lines[0]).toMatchObject({ message: 'audit', code: 'not_found' })
    expect(JSON.stringify(lines)).not.toContain('dsk_secret')
  })
})
