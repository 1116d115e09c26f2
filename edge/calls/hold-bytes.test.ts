import { describe, expect, it } from 'vitest'
import type { ErrorBody } from '../../shared/api/errors.ts'
import { BodyMemory } from '../../shared/bytes/body-memory.ts'
import { createTestEdge, errorOf, png } from '../../test/support/edges/test-edge.ts'
import { BackendPool } from '../backends/pool.ts'

describe('what requests make the edge hold', () => {
  const urls = ['https://a.example.com/1', 'https://a.example.com/2']
  const kB = new Uint8Array(1_000)
  const picture = () => new Response(Buffer.concat([png, kB]))
  const sized = (bytes: number) => ({
    'x-api-key': 'right-key',
    'content-type': 'application/json',
    'content-length': String(bytes),
  })

  it('counts fetched images before they are held, and gives all back', async () => {
    const bodyMemory = new BodyMemory(5_000)
    const fetchPublic = async () => picture()
    const { post, calls } = createTestEdge({ bodyMemory, fetchPublic })
    const headers = sized(100)
    const ask = (image_url: string[]) =>
      post('/generate/image_url', { prompt: 'Hi', image_url }, { headers })
    expect((await ask(urls)).status).toBe(200)
    expect(bodyMemory.held).toBe(0)
    const refused = await ask([...urls, 'https://a.example.com/3'])
    const { error } = (await refused.clone().json()) as ErrorBody
    expect(await errorOf(refused)).toEqual([429, 'queue_full', null])
    expect(error.message).toMatch(/^Your requests together .* over the limit of 2500$/)
    expect([bodyMemory.held, calls.length]).toEqual([0, 1])
  })

  describe('of a large complete answer', () => {
    const large = 1_000_000
    const setUp = ({ isLengthKnown = true } = {}) => {
      const length: Record<string, string> = isLengthKnown
        ? { 'content-length': String(large) }
        : {}
      const answer = () =>
        new Response(`{"output":"${'a'.repeat(large - 13)}"}`, {
          headers: { 'content-type': 'application/json', ...length },
        })
      const bodyMemory = new BodyMemory(3 * large)
      const target = { id: 'a', send: async () => answer() }
      const parts = { now: () => 0, random: () => 0, deadlineMs: 60_000 }
      const { call: pool } = new BackendPool({ targets: [target], ...parts })
      const { post } = createTestEdge({ bodyMemory, pool })
      const ask = ({
        headers = {},
        ...init
      }: { headers?: Record<string, string>; signal?: AbortSignal } = {}) =>
        post('/generate/text', { prompt: 'Hi' }, { ...init, headers: { ...sized(20), ...headers } })
      return { bodyMemory, ask }
    }

    it('counts until its client has taken it', async () => {
      const { bodyMemory, ask } = setUp()
      const first = await ask()
      expect([first.status, bodyMemory.held]).toEqual([200, large])
      const refused = await ask()
      expect(await errorOf(refused)).toEqual([429, 'queue_full', null])
      expect(bodyMemory.held).toBe(large)
      expect(await first.json()).toEqual({ output: 'a'.repeat(large - 13) })
      expect(bodyMemory.held).toBe(0)
      await (await ask()).body!.cancel()
      expect(bodyMemory.held).toBe(0)
    })

    it('counts while it arrives when its length is unknown', async () => {
      const { bodyMemory, ask } = setUp({ isLengthKnown: false })
      const first = await ask()
      expect([first.status, bodyMemory.held]).toEqual([200, large])
      expect(await errorOf(await ask())).toEqual([429, 'queue_full', null])
      await first.body!.cancel()
      expect(bodyMemory.held).toBe(0)
    })

    it('counts no longer when its client leaves', async () => {
      const { bodyMemory, ask } = setUp()
      const leaving = new AbortController()
      await ask({ signal: leaving.signal })
      leaving.abort()
      expect(bodyMemory.held).toBe(0)
    })

    it('counts twice while a copy is kept of it; without room for that none is kept', async () => {
      const { bodyMemory, ask } = setUp()
      bodyMemory.hold('default', large / 2 - 100)
      const first = await ask({ headers: { 'idempotency-key': 'a' } })
      expect(((await first.json()) as { output: string }).output).toHaveLength(large - 13)
      expect(await errorOf(await ask({ headers: { 'idempotency-key': 'a' } }))).toEqual([
        409,
        'answer_not_kept',
        'Idempotency-Key',
      ])
      await expect.poll(() => bodyMemory.held).toBe(large / 2 - 100)
      bodyMemory.release('default', large / 2 - 100)
    })
  })

  it.each([
    ['an invalid body', {}, 400],
    ['a failing backend', { prompt: 'Hi' }, 503],
  ])('gives all back after %s', async (_what, value, status) => {
    const bodyMemory = new BodyMemory(10_000)
    const backend = () => Promise.reject(new Error('gone'))
    const { post } = createTestEdge({ bodyMemory, backend })
    expect((await post('/generate/text', value, { headers: sized(20) })).status).toBe(status)
    expect(bodyMemory.held).toBe(0)
  })

  it('refuses a body before it is read, and one of unknown length by the most it may have', async () => {
    const bodyMemory = new BodyMemory(4_000_000)
    const { app } = createTestEdge({ bodyMemory })
    const ask = (headers: Record<string, string>) =>
      app.request('/generate/text', {
        method: 'POST',
        headers: { 'x-api-key': 'right-key', 'content-type': 'application/json', ...headers },
        body: new ReadableStream(
          { pull: () => expect.fail('The body was read') },
          { highWaterMark: 0 },
        ),
        duplex: 'half',
      })
    for (const headers of [
      { 'content-length': '2000001' },
      {},
      { 'content-length': '1000001', 'idempotency-key': 'a' },
    ]) {
      expect(await errorOf(await ask(headers))).toEqual([429, 'queue_full', null])
    }
    expect(bodyMemory.held).toBe(0)
  })

  it('no longer holds a body whose client has left', async () => {
    const bodyMemory = new BodyMemory(Infinity)
    const { app } = createTestEdge({ bodyMemory })
    let fail = (_error: Error): void => undefined
    const body = new ReadableStream({
      start: (controller) => void (fail = (error) => controller.error(error)),
    })
    const headers = { 'x-api-key': 'right-key', 'content-length': '9999', 'idempotency-key': 'a' }
    const init = { method: 'POST', headers, body, duplex: 'half' as const }
    const pending = app.request('/generate/image', init)
    await expect.poll(() => bodyMemory.held).toBe(2 * 9_999)
    fail(new Error('gone'))
    expect((await pending).status).toBe(499)
    expect(bodyMemory.held).toBe(0)
  })
})
