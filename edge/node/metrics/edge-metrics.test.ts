import { describe, expect, it } from 'vitest'
import { readMetrics, sumOf } from '../../../shared/metrics/read-metrics.ts'
import { testPlatform, type TestPlatformParts } from '../../../test/support/edges/test-platform.ts'
import { metricsAnswer } from '../../../shared/node/metrics/metrics-server.ts'
import { createEdgeApp } from '../../app.ts'
import { createEdgeMetrics } from './edge-metrics.ts'

const usage = { 'x-usage': '90 70 12' }

/** An edge with metrics, over a backend that answers at once. */
function setUp(parts: TestPlatformParts = {}) {
  const { registry, measure } = createEdgeMetrics()
  const metrics = () => metricsAnswer(registry)
  const app = createEdgeApp(testPlatform({ metrics, measure, ...parts }))
  const key = { 'x-api-key': 'right-key' }
  const ask = (path: string, init: RequestInit = {}) => app.request(path, { headers: key, ...init })
  const post = (path: string, body: string) =>
    ask(path, { method: 'POST', headers: { ...key, 'content-type': 'application/json' }, body })
  const read = async () => readMetrics(await (await ask('/metrics')).text())
  return { ask, post, read }
}

describe('GET /metrics of the edge', () => {
  it('adds up to what calls have used', async () => {
    const { post, read } = setUp({
      backend: () => Response.json({ output: 'A cat.' }, { headers: usage }),
    })
    for (let call = 0; call < 3; call += 1) await post('/generate/text', '{"prompt":"Hi"}')
    const seen = await read()
    expect(seen.get('describe_edge_tokens_total{type="input"}')).toBe(270)
    expect(seen.get('describe_edge_tokens_total{type="image"}')).toBe(210)
    expect(seen.get('describe_edge_tokens_total{type="output"}')).toBe(36)
    const ok = 'route="/generate/text",status="200",code="none"'
    expect(seen.get(`describe_edge_requests_total{${ok}}`)).toBe(3)
    for (const phase of ['authenticate', 'read', 'reserve', 'backend', 'relay']) {
      expect(seen.get(`describe_edge_phase_duration_seconds_count{phase="${phase}"}`)).toBe(3)
    }
    // The request that reads the metrics.
    expect(seen.get('describe_edge_requests_running')).toBe(1)
  })

  it('counts refusals by their code, and no text of a client', async () => {
    const { ask, post, read } = setUp()
    await ask('/generate/text', {
      method: 'POST',
      headers: { 'x-api-key': 'somebody’s'.slice(0, 8) },
    })
    await ask('/somebody/else')
    await post('/generate/text', '{"prompt":"somebody","temperature":9}')
    const seen = await read()
    const requests = (labels: string) => seen.get(`describe_edge_requests_total{${labels}}`)
    expect(requests('route="/generate/text",status="401",code="invalid_api_key"')).toBe(1)
    expect(requests('route="other",status="404",code="not_found"')).toBe(1)
    expect(requests('route="/generate/text",status="400",code="invalid_field"')).toBe(1)
    expect([...seen.keys()].join()).not.toContain('somebody')
    expect(sumOf(seen, 'describe_edge_tokens_total')).toBe(0)
  })

  it('counts refusals of a backend by its code, which clients do not see', async () => {
    const { post, read } = setUp({
      backend: () =>
        Response.json({ error: {} }, { status: 400, headers: { 'x-error-code': 'invalid_image' } }),
    })
    const response = await post('/generate/text', '{"prompt":"Hi"}')
    expect(response.headers.has('x-error-code')).toBe(false)
    const refused = 'route="/generate/text",status="400",code="invalid_image"'
    expect((await read()).get(`describe_edge_requests_total{${refused}}`)).toBe(1)
  })

  it('is for administrators only', async () => {
    const { ask } = setUp()
    expect((await ask('/metrics', { headers: {} })).status).toBe(401)
    expect((await ask('/metrics')).status).toBe(200)
  })

  it('says why there are none where the platform has none', async () => {
    const { ask } = setUp({ metrics: undefined })
    const response = await ask('/metrics')
    expect(response.status).toBe(404)
    expect(await response.text()).toContain('A Worker runs as many isolates')
  })
})
