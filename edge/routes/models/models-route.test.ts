import { describe, expect, it } from 'vitest'
import { createTestEdge, errorOf } from '../../../test/support/edges/test-edge.ts'
import type { TestBackend } from '../../../test/support/edges/test-platform.ts'

function modelsOf(backend: TestBackend) {
  const { app, lines } = createTestEdge({ backend })
  const get = async (signal?: AbortSignal) =>
    app.request('/v1/models', { headers: { 'x-api-key': 'right-key' }, ...(signal && { signal }) })
  return { get, lines }
}

describe('GET /v1/models', () => {
  it('does not blame the client when the backend refuses the certificate of the edge', async () => {
    const refusal = { error: { code: 'client_not_allowed' } }
    const headers = { 'x-error-code': 'client_not_allowed' }
    const { get } = modelsOf(() => Response.json(refusal, { status: 403, headers }))
    expect(await errorOf(await get())).toEqual([500, 'internal', null])
  })

  it('does not count a client that leaves as a failure of the backend', async () => {
    const client = new AbortController()
    const { get, lines } = modelsOf((_path, { signal }) => {
      client.abort()
      return Promise.reject(signal.reason as Error)
    })
    await get(client.signal)
    expect(lines).toMatchObject([{ message: 'request', level: 'info', code: 'cancelled' }])
  })

  it('says that the backend cannot be reached', async () => {
    const { get } = modelsOf(() => Promise.reject(new TypeError('fetch failed')))
    expect((await get()).status).toBe(503)
  })
})
