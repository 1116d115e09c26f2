import { describe, expect, it } from 'vitest'
import { edgeRoutes } from '../../shared/api/routes.ts'
import { testPlatform } from '../../test/support/edges/test-platform.ts'
import { createEdgeApp } from '../app.ts'

const page = 'https://app.example.com'
const paths = [...new Set(Object.values(edgeRoutes).map(({ path }) => path))]

const edge = (...corsOrigins: string[]) => createEdgeApp(testPlatform({ corsOrigins }))

const preflight = (app: ReturnType<typeof edge>, path: string, method: string, origin = page) =>
  app.request(path, {
    method: 'OPTIONS',
    headers: { origin, 'access-control-request-method': method },
  })

const corsHeadersOf = ({ headers }: Response) =>
  [...headers.keys()].filter((name) => name.startsWith('access-control-') || name === 'vary')

describe('allowOrigins()', () => {
  it.each(paths)('answers preflights of %s with its methods, without a key', async (path) => {
    const routes = Object.values(edgeRoutes).filter((route) => route.path === path)
    for (const { method } of routes) {
      const response = await preflight(edge('https://other.example.com', page), path, method)
      expect([response.status, await response.text()]).toEqual([204, ''])
      const told = (name: string) => response.headers.get(`access-control-${name}`)?.split(', ')
      expect(told('allow-origin')).toEqual([page])
      expect(told('allow-methods')).toContain(method)
      expect(told('allow-headers')).toEqual(
        expect.arrayContaining(['x-api-key', 'authorization', 'content-type', 'idempotency-key']),
      )
      expect(told('max-age')).toEqual(['7200'])
      expect(told('allow-credentials')).toBeUndefined()
      expect(response.headers.get('vary')).toBe('Origin')
    }
  })

  it('lets the pages read answers and errors, with the headers that matter', async () => {
    const app = edge(page)
    const statuses = []
    for (const path of ['/health', '/v1/models', '/nothing-here']) {
      const response = await app.request(path, { headers: { origin: page } })
      statuses.push(response.status)
      expect(response.headers.get('access-control-allow-origin')).toBe(page)
      const exposed = response.headers.get('access-control-expose-headers')?.split(', ')
      const wanted = ['x-request-id', 'retry-after', 'x-ratelimit-remaining-tokens-day']
      expect(exposed).toEqual(expect.arrayContaining(wanted))
      expect(response.headers.get('access-control-allow-methods')).toBeNull()
    }
    expect(statuses).toEqual([200, 401, 404])
  })

  it.each(['https://evil.example.com', 'http://app.example.com', `${page}.evil.example`, 'null'])(
    'allows %s nothing, and says that the answer depends on the origin',
    async (origin) => {
      const responses = [
        await preflight(edge(page), '/health', 'GET', origin),
        await edge(page).request('/health', { headers: { origin } }),
      ]
      for (const response of responses) expect(corsHeadersOf(response)).toEqual(['vary'])
    },
  )

  it('says so to those without an origin, too, for the sake of caches', async () => {
    const response = await edge(page).request('/health')
    expect(corsHeadersOf(response)).toEqual(['vary'])
  })

  it('allows every origin with *', async () => {
    const response = await preflight(edge('*'), '/generate/text', 'POST', 'null')
    expect(response.headers.get('access-control-allow-origin')).toBe('*')
    expect(response.headers.get('access-control-allow-methods')).toBe('POST, OPTIONS')
    expect(response.headers.get('vary')).toBeNull()
  })

  it('allows none unless it is set', async () => {
    const response = await preflight(edge(), '/generate/text', 'POST')
    expect([response.status, corsHeadersOf(response)]).toEqual([204, []])
  })

  it('does not take OPTIONS without a question for a preflight', async () => {
    const headers = { origin: page }
    const response = await edge(page).request('/health', { method: 'OPTIONS', headers })
    expect(response.headers.get('access-control-allow-methods')).toBeNull()
    expect(response.headers.get('allow')).toBe('GET, HEAD, OPTIONS')
  })
})
