import { afterEach, describe, expect, it, vi } from 'vitest'
import { edgeRoutes, routes } from '../shared/api/routes.ts'
import { forwardHeaders } from '../shared/forward/headers.ts'
import { testKeys } from '../test/support/edges/test-keys.ts'
import { createTestEdge, errorOf, untilAborted } from '../test/support/edges/test-edge.ts'

afterEach(() => vi.useRealTimers())

describe('createEdgeApp()', () => {
  it.each(Object.values(routes))(
    'asks for a key on $method $path as its route says',
    async (route) => {
      const { app, calls } = createTestEdge()
      const response = await app.request(route.path, { method: route.method })
      expect(response.status === 401).toBe(route.scope !== null)
      expect(calls).toHaveLength(route.scope === null ? 1 : 0)
    },
  )

  it('has exactly the routes of the table, which says the scope of each', () => {
    const mounted = createTestEdge()
      .app.routes.filter(({ method }) => method !== 'ALL')
      .map(({ method, path }) => `${method} ${path}`)
    const listed = Object.values(edgeRoutes).map(({ method, path }) => `${method} ${path}`)
    expect(new Set(mounted)).toEqual(new Set(listed))
  })

  it('says at / what there is, without a key and without a backend', async () => {
    const { app, calls } = createTestEdge()
    const response = await app.request('/')
    expect(response.status).toBe(200)
    const { docs, routes: told } = (await response.json()) as { docs: string; routes: string[] }
    for (const { method, path } of Object.values(routes))
      expect(told).toContain(`${method} ${path}`)
    expect((await app.request(docs)).status).toBe(200)
    expect(JSON.stringify(told)).not.toContain('admin')
    expect(calls).toEqual([])
  })

  it('answers a failure of its own with a fixed text and logs what happened', async () => {
    const keys = {
      ...testKeys('right-key').keys,
      verify: () => Promise.reject(new Error('store at 10.0.0.7 is gone')),
    }
    const { post, lines } = createTestEdge({ keys })
    const response = await post('/generate/text', { prompt: 'Hi' })
    const text = await response.clone().text()
    expect(await errorOf(response)).toEqual([500, 'internal', null])
    expect(text).not.toContain('10.0.0.7')
    expect(lines[0]).toMatchObject({ level: 'error', code: 'internal' })
    expect(lines[0]?.['detail']).toContain('store at 10.0.0.7 is gone')
  })

  it.each([
    ['model_loading', 'info'],
    ['engine_restarted', 'error'],
  ])("logs a backend's refusal %s as %s", async (code, level) => {
    const init = { status: 503, headers: { [forwardHeaders.errorCode]: code } }
    const { post, lines } = createTestEdge({
      backend: () => Promise.resolve(Response.json({ error: { code } }, init)),
    })
    const response = await post('/generate/text', { prompt: 'Hi' })
    await response.text()
    await expect.poll(() => lines).toMatchObject([{ message: 'request', status: 503, code, level }])
  })

  it('passes the leaving of a client on to the backend before there is an answer', async () => {
    const client = new AbortController()
    const { post, lines } = createTestEdge({
      backend: (_path, { signal }) => {
        queueMicrotask(() => client.abort())
        return untilAborted(signal)
      },
    })
    await post('/generate/text', { prompt: 'Hi' }, { signal: client.signal })
    expect(lines[0]).toMatchObject({ status: 499, code: 'cancelled' })
  })

  it.each([true, false])(
    'ends the fetching of images when the client leaves: stream %s',
    async (stream) => {
      const client = new AbortController()
      const transfers: AbortSignal[] = []
      const { post, calls, lines } = createTestEdge({
        fetchPublic(_url, { signal }) {
          transfers.push(signal)
          queueMicrotask(() => client.abort())
          return untilAborted(signal)
        },
      })
      const fields = { prompt: 'Hi', image_url: 'https://a.example.com/1', stream }
      await post('/generate/image_url', fields, { signal: client.signal })
      expect(transfers.map(({ aborted }) => aborted)).toEqual([true])
      expect(lines[0]).toMatchObject({ status: 499, code: 'cancelled' })
      expect(calls).toEqual([])
    },
  )

  it('ends the fetching of images at the deadline', async () => {
    vi.useFakeTimers()
    const { post, calls } = createTestEdge({
      deadlineMs: 2_000,
      fetchPublic: () => {
        void vi.advanceTimersByTimeAsync(2_001)
        return new Promise(() => undefined)
      },
    })
    const response = await post('/generate/image_url', {
      prompt: 'Hi',
      image_url: 'https://images.example.com/a',
    })
    expect(await errorOf(response)).toEqual([504, 'deadline_exceeded', null])
    expect(calls).toEqual([])
  })

  it('ends a request whose backend is silent past the deadline', async () => {
    vi.useFakeTimers()
    const { post } = createTestEdge({
      backend: (_path, { signal }) => {
        void vi.advanceTimersByTimeAsync(61_001)
        return untilAborted(signal)
      },
    })
    const response = await post('/generate/text', { prompt: 'Hi' })
    expect(await errorOf(response)).toEqual([504, 'deadline_exceeded', null])
  })
})
