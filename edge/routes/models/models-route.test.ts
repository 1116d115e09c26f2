import { describe, expect, it } from 'vitest'
import { testPlatform, type TestBackend } from '../../../test/support/edges/test-platform.ts'
import type { LogLine } from '../../../shared/log/log-line.ts'
import { createEdgeApp } from '../../app.ts'

function createTestEdge(backend: TestBackend) {
  const lines: LogLine[] = []
  const app = createEdgeApp(testPlatform({ backend, log: (line) => lines.push(line) }))
  const get = async (signal?: AbortSignal) =>
    app.request('/v1/models', { headers: { 'x-api-key': 'right-key' }, ...(signal && { signal }) })
  return { get, lines }
}

describe('GET /v1/models', () => {
  it('does not blame the client when the backend refuses the certificate of the edge', async () => {
    const refusal = { error: { code: 'client_not_allowed' } }
    const headers = { 'x-error-code': 'client_not_allowed' }
    const { get } = createTestEdge(() => Response.json(refusal, { status: 403, headers }))
    const response = await get()
    expect(response.status).toBe(500)
    expect(await response.json()).toMatchObject({ error: { code: 'internal' } })
  })

  it('does not count a client that leaves as a failure of the backend', async () => {
    const client = new AbortController()
    const { get, lines } = createTestEdge((_path, { signal }) => {
      client.abort()
      return Promise.reject(signal.reason as Error)
    })
    await get(client.signal)
    expect(lines).toMatchObject([{ message: 'request', level: 'info', code: 'cancelled' }])
  })

  it('says that the backend cannot be reached', async () => {
    const { get } = createTestEdge(() => Promise.reject(new TypeError('fetch failed')))
    expect((await get()).status).toBe(503)
  })
})
