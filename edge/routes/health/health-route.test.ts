import { afterEach, describe, expect, it, vi } from 'vitest'
import type { TestPlatformParts } from '../../../test/support/edges/test-platform.ts'
import { createTestEdge, untilAborted } from '../../../test/support/edges/test-edge.ts'

afterEach(() => vi.useRealTimers())

describe('GET /health', () => {
  it('tells what a request would meet now, and asks the backend twenty times a second at most', async () => {
    let status = 200
    const { app, calls, clock } = createTestEdge({
      backend: async () => Response.json({ status: 'healthy' }, { status }),
    })
    await app.request('/health')
    status = 503
    clock.ms = 49
    expect((await app.request('/health')).status).toBe(200)
    expect(calls).toHaveLength(1)
    clock.ms = 50
    expect((await app.request('/health')).status).toBe(503)
    expect(calls).toHaveLength(2)
  })

  it('asks a backend that does not answer only once at a time', async () => {
    vi.useFakeTimers()
    const { app, calls, clock } = createTestEdge({
      backend: (_path, { signal }) => untilAborted(signal),
    })
    const first = app.request('/health')
    await vi.advanceTimersByTimeAsync(700)
    clock.ms = 700
    const second = app.request('/health')
    await vi.advanceTimersByTimeAsync(100)
    expect((await first).status).toBe(503)
    expect((await second).status).toBe(503)
    expect(calls).toHaveLength(1)
  })

  it('asks again after a call that the backend refused, and after no other', async () => {
    let status = 200
    const { app, calls, post } = createTestEdge({
      backend: async () => Response.json({ status: 'healthy', output: 'A cat.' }, { status }),
    })
    const probes = () => calls.filter(({ path }) => path === '/health').length
    await app.request('/health')
    await post('/generate/text', { prompt: 'Hi' })
    expect([(await app.request('/health')).status, probes()]).toEqual([200, 1])
    status = 503
    await post('/generate/text', { prompt: 'Hi' })
    expect([(await app.request('/health')).status, probes()]).toEqual([503, 2])
    expect([(await app.request('/health')).status, probes()]).toEqual([503, 2])
  })

  it('asks it once for all that want to know at the same time', async () => {
    const { app, calls } = createTestEdge({
      backend: async () => {
        await new Promise((resolve) => setTimeout(resolve, 20))
        return Response.json({ status: 'healthy' })
      },
    })
    const answers = await Promise.all(
      Array.from({ length: 100 }, async () => app.request('/health')),
    )
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
    expect(calls).toHaveLength(1)
  })

  it.each([
    [503, { status: 'unavailable', reason: 'model_loading' }, 'model_loading'],
    [503, { status: 'unavailable', reason: 'engine_restarting' }, 'engine_restarting'],
    [503, { status: 'unavailable', reason: 'something else' }, 'backend_unreachable'],
    [500, 'no JSON object', 'backend_unreachable'],
  ])('tells why, after status %i and %o', async (status, body, reason) => {
    const { app } = createTestEdge({ backend: async () => Response.json(body, { status }) })
    const response = await app.request('/health')
    expect(response.status).toBe(503)
    expect(await response.json()).toEqual({ status: 'unavailable', reason })
  })

  it('does not wait long for a silent backend', async () => {
    vi.useFakeTimers()
    const { app } = createTestEdge({ backend: (_path, { signal }) => untilAborted(signal) })
    const pending = app.request('/health')
    await vi.advanceTimersByTimeAsync(800)
    expect((await pending).status).toBe(503)
  })
})

describe('GET /livez and /readyz', () => {
  const healthy = async () => Response.json({ status: 'healthy' })
  const allHold = { backend: true, keys: true, limits: true, certificate: true, not_draining: true }
  const broken = () => Promise.reject(new Error('disk I/O error'))

  it('is alive without asking anybody', async () => {
    const { app, calls } = createTestEdge({ backend: (_path, { signal }) => untilAborted(signal) })
    const response = await app.request('/livez')
    expect([response.status, await response.json()]).toEqual([200, { status: 'alive' }])
    expect(calls).toHaveLength(0)
  })

  it('leaves the log to requests, at the usual level', async () => {
    const levelsAt = async (status: number) => {
      const backend = async () => Response.json({ status: 'healthy' }, { status })
      const { app, lines } = createTestEdge({ backend })
      for (const path of ['/livez', '/readyz', '/health']) await app.request(path)
      return lines.map(({ route, level }) => [route, level])
    }
    const quiet = [
      ['/livez', 'debug'],
      ['/readyz', 'debug'],
    ]
    expect(await levelsAt(503)).toEqual([...quiet, ['/health', 'error']])
    expect(await levelsAt(200)).toEqual([...quiet, ['/health', 'debug']])
  })

  it('is ready when every check holds', async () => {
    const { app } = createTestEdge({ backend: healthy })
    const response = await app.request('/readyz')
    expect([response.status, await response.json()]).toEqual([
      200,
      { status: 'ready', checks: allHold },
    ])
  })

  it.each([
    ['backend', { backend: async () => Response.json({}, { status: 503 }) }],
    ['keys', { keyStore: { get: broken } }],
    ['limits', { meter: { check: broken } }],
    ['certificate', { certificateIsValid: () => false }],
    ['not_draining', { stopping: { begun: true, cut: false, signal: undefined } }],
  ])('is not ready when %s fails', async (check, parts) => {
    const { app } = createTestEdge({ backend: healthy, ...(parts as TestPlatformParts) })
    const response = await app.request('/readyz')
    expect([response.status, await response.json()]).toEqual([
      503,
      { status: 'not_ready', checks: { ...allHold, [check]: false } },
    ])
  })

  it('has no check of a certificate that the platform does not show', async () => {
    const { app } = createTestEdge({ backend: healthy, certificateIsValid: undefined })
    const { checks } = (await (await app.request('/readyz')).json()) as { checks: object }
    expect(checks).not.toHaveProperty('certificate')
  })

  it('asks backend and stores once for all probes at a time, of /health too', async () => {
    let asked = 0
    const keyStore = {
      get() {
        asked += 1
        return undefined
      },
    } as unknown as TestPlatformParts['keyStore']
    const { app, calls, clock } = createTestEdge({
      backend: healthy,
      ...(keyStore && { keyStore }),
    })
    const probe = (path: string) => Array.from({ length: 50 }, async () => app.request(path))
    await Promise.all([...probe('/readyz'), ...probe('/health')])
    expect([calls.length, asked]).toEqual([1, 1])
    clock.ms = 50
    await app.request('/readyz')
    expect([calls.length, asked]).toEqual([2, 1])
    clock.ms = 1_000
    await app.request('/readyz')
    expect([calls.length, asked]).toEqual([3, 2])
  })

  it('looks at the stores again after a call that one of them failed', async () => {
    const full = () => Promise.reject(new Error('database or disk is full'))
    let check: () => Promise<void> = async () => undefined
    const meter = { reserve: full, settle: full, check: () => check() }
    const { app, post } = createTestEdge({ backend: healthy, ...({ meter } as object) })
    expect((await app.request('/readyz')).status).toBe(200)
    check = full
    expect((await app.request('/readyz')).status).toBe(200)
    await (await post('/generate/text', { prompt: 'Hi' })).text()
    await expect.poll(async () => (await app.request('/readyz')).status).toBe(503)
    const { checks } = (await (await app.request('/readyz')).json()) as { checks: object }
    expect(checks).toEqual({ ...allHold, limits: false })
  })

  it('does not wait long for a store that is silent', async () => {
    vi.useFakeTimers()
    const silent = { check: () => new Promise(() => {}) } as unknown as TestPlatformParts['meter']
    const { app } = createTestEdge({ backend: healthy, ...(silent && { meter: silent }) })
    const pending = app.request('/readyz')
    await vi.advanceTimersByTimeAsync(800)
    const { checks } = (await (await pending).json()) as { checks: object }
    expect(checks).toEqual({ ...allHold, limits: false })
  })
})
