import { describe, expect, it } from 'vitest'
import type { LogLine } from '../../../shared/log/log-line.ts'
import { testPage, testPlatform } from '../../../test/support/edges/test-platform.ts'
import { createEdgeApp } from '../../app.ts'

const { version } = testPage
const file = 'edge/page/browser/ask.ts'

function createTestEdge() {
  const lines: LogLine[] = []
  const app = createEdgeApp(testPlatform({ log: (line) => lines.push(line) }))
  const get = async (path: string, headers: Record<string, string> = {}) =>
    app.request(path, { headers })
  return { get, lines }
}

const html = { accept: 'text/html,*/*;q=0.8' }

describe('GET /', () => {
  it('is a page for those who ask for HTML, and a list for all others', async () => {
    const { get } = createTestEdge()
    const page = await get('/', html)
    expect([page.status, await page.text()]).toEqual([200, testPage.pages['/']])
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8')
    const list = await get('/', { accept: '*/*' })
    expect(await list.json()).toMatchObject({ name: 'Describe Server', docs: '/openapi.json' })
    for (const { headers } of [page, list]) expect(headers.get('vary')).toBe('Accept')
  })
})

describe('the pages', () => {
  it.each(['/', '/docs'])('let %s load and call nothing but this server', async (path) => {
    const { headers } = await createTestEdge().get(path, html)
    const policy = headers.get('content-security-policy')?.split('; ')
    expect(policy).toEqual(
      expect.arrayContaining(["default-src 'none'", "script-src 'self'", "connect-src 'self'"]),
    )
    expect(policy?.join()).not.toMatch(/unsafe|https?:|\*/)
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(headers.get('referrer-policy')).toBe('no-referrer')
  })

  it.each(['/', '/docs'])('are not sent again while they are the same: %s', async (path) => {
    const { get } = createTestEdge()
    const first = await get(path, html)
    const etag = first.headers.get('etag')!
    expect(first.headers.get('cache-control')).toBe('no-cache')
    const second = await get(path, { ...html, 'if-none-match': `W/${etag}` })
    expect([second.status, await second.text(), second.headers.get('etag')]).toEqual([
      304,
      '',
      etag,
    ])
    expect((await get(path, { ...html, 'if-none-match': '"older"' })).status).toBe(200)
  })
})

describe('GET /page/{version}/{file}', () => {
  it('is kept by caches for good, and logged where somebody looks closely', async () => {
    const { get, lines } = createTestEdge()
    const response = await get(`/page/${version}/${file}`)
    expect([response.status, await response.text()]).toEqual([200, 'export {}'])
    expect(response.headers.get('content-type')).toBe('text/javascript; charset=utf-8')
    expect(response.headers.get('cache-control')).toContain('immutable')
    expect(lines).toMatchObject([{ level: 'debug', route: '/page/:version/:file{.+}' }])
  })

  it.each([
    `/page/older/${file}`,
    `/page/${version}/edge/app.ts`,
    `/page/${version}/constructor`,
    `/page/${version}/../../package.json`,
    `/page/${version}/`,
  ])('has no other: %s', async (path) => {
    const response = await createTestEdge().get(path)
    expect(response.status).toBe(404)
    expect(await response.json()).toMatchObject({ error: { code: 'not_found' } })
  })
})
