import { setImmediate as nextTurn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { ServiceError } from '../../shared/api/errors.ts'
import type { BackendInit } from './exchange.ts'
import { BackendPool } from './pool.ts'
import { NotConnectedError } from './target.ts'

type Answer = (path: string, init: BackendInit) => Response | Promise<Response>

const answers = (): Response => Response.json({ output: 'A cat.' })
const healthyOr =
  (answer: Answer): Answer =>
  (path, init) =>
    path === '/health' ? Response.json({ status: 'healthy' }) : answer(path, init)
const stream = () =>
  new Response(new ReadableStream(), { headers: { 'content-type': 'text/event-stream' } })
const refuses: Answer = () => Promise.reject(new NotConnectedError('ECONNREFUSED'))
const isSlow: Answer = () => Promise.reject(new NotConnectedError('timeout', { isSlow: true }))
const fails = (status: number, code: string) => (): Response =>
  Response.json({ error: { code } }, { status })

/** A pool of backends with given answers, and the ids of those that were called. */
function createPool(answersById: Record<string, Answer>) {
  const clock = { ms: 0 }
  const asked: string[] = []
  const table = { ...answersById }
  const pool = new BackendPool({
    targets: Object.keys(table).map((id) => ({
      id,
      send: async (path, init) => {
        if (path !== '/health') asked.push(id)
        return table[id]!(path, init)
      },
    })),
    now: () => clock.ms,
    random: () => 0,
    deadlineMs: 60_000,
  })
  const call = (parts: Partial<BackendInit> = {}) =>
    pool.call('/generate/text', {
      method: 'POST',
      headers: { 'x-request-id': 'request-1' },
      body: '{}',
      signal: new AbortController().signal,
      ...parts,
    })
  const ask = (path: string) =>
    pool.call(path, { method: 'GET', headers: {}, signal: new AbortController().signal })
  /** @returns the backends asked meanwhile */
  const askedBy = async (run: () => Promise<unknown>) => {
    asked.length = 0
    await run()
    return [...asked]
  }
  return { call, ask, askedBy, clock, table, imageTokens: pool.imageTokens }
}

/**
 * Lets probes, which nobody waits for, finish: counted in turns of the event loop, of which a busy machine does not
 * take fewer.
 */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await nextTurn()
}

describe('BackendPool', () => {
  it('asks for no stream of an answer that it reads as a whole', async () => {
    const whole = Response.json({ output: 'A cat.' }, { headers: { 'content-length': '19' } })
    let streams = 0
    Object.defineProperty(whole, 'body', { get: () => (streams += 1) })
    const { call } = createPool({ a: () => whole })
    const { answer } = await call()
    expect(Buffer.from(await answer.arrayBuffer()).toString()).toBe('{"output":"A cat."}')
    expect(streams).toBe(0)
  })

  it('learns what an image costs, and counts with the most until all backends have said', async () => {
    const stating = (tokens: string, status = 200) =>
      healthyOr(() => Response.json({}, { status, headers: { 'x-image-tokens': tokens } }))
    const { call, table, imageTokens } = createPool({ a: stating('1338'), b: refuses })
    expect(imageTokens()).toBe(4_464)
    await call()
    expect(imageTokens()).toBe(4_464)
    Object.assign(table, { a: refuses, b: stating('100', 400) })
    await call()
    expect(imageTokens()).toBe(1_338)
    table['b'] = stating('many')
    await call()
    expect(imageTokens()).toBe(1_338)
    table['b'] = stating('2000')
    await call()
    expect(imageTokens()).toBe(2_000)
  })

  it('names the backend that answered', async () => {
    const { call } = createPool({ a: refuses, b: healthyOr(answers) })
    expect(await call()).toMatchObject({ answer: { status: 200 }, backendId: 'b' })
  })

  it.each([
    ['no connection', refuses],
    ['503 model_loading', fails(503, 'model_loading')],
    ['429 queue_full', fails(429, 'queue_full')],
    ['403: it does not know this edge', fails(403, 'client_not_allowed')],
    ['521, as Cloudflare tells of no connection', () => new Response('error', { status: 521 })],
  ])('offers the request to another backend after %s', async (_what, answer) => {
    const { call, askedBy } = createPool({ a: answer, b: healthyOr(answers) })
    expect(await askedBy(async () => expect((await call()).answer.status).toBe(200))).toEqual([
      'a',
      'b',
    ])
  })

  it.each([
    ['500', fails(500, 'internal')],
    ['504', fails(504, 'deadline_exceeded')],
    ['429 of a limit of the client', fails(429, 'rate_limited')],
    ['503 without a code', () => new Response('nginx', { status: 503 })],
  ])('runs nothing twice: relays %s', async (_what, answer) => {
    const { call, askedBy } = createPool({ a: healthyOr(answer), b: healthyOr(answers) })
    expect(await askedBy(() => call())).toEqual(['a'])
  })

  it('runs nothing twice: a connection that breaks may have run it', async () => {
    const broken = () => Promise.reject(new Error('other side closed'))
    const { call, askedBy } = createPool({ a: healthyOr(broken), b: healthyOr(answers) })
    const asked = await askedBy(() => expect(call()).rejects.toThrow('other side closed'))
    expect(asked).toEqual(['a'])
  })

  it('asks one again that was slow to connect, rather than one that is stopping', async () => {
    const stopping = fails(503, 'shutting_down')
    const { call, askedBy, table, clock } = createPool({ a: stopping, b: healthyOr(answers) })
    await call()
    await settle()
    // Whatever keeps the machine busy delays probes too.
    table['b'] = (path, init) => {
      if (path === '/health') return isSlow(path, init)
      table['b'] = answers
      return isSlow(path, init)
    }
    clock.ms = 6_000
    await call()
    expect(await askedBy(async () => expect((await call()).answer.status).toBe(200))).toEqual(['b'])
  })

  it('gives up after three times on one that lately answered', async () => {
    const { call, askedBy, table, clock } = createPool({ a: answers, b: refuses })
    await call()
    await settle()
    table['a'] = isSlow
    const slow = () => expect(call()).rejects.toThrow(NotConnectedError)
    expect(await askedBy(slow)).toEqual(['a', 'a', 'a'])
    const body = (async function* () {})()
    expect(await askedBy(() => call({ body }).catch(() => undefined))).toEqual(['a'])
    clock.ms = 10_000
    expect(await askedBy(slow)).toEqual(['a', 'b'])
  })

  it.each([
    ['the only one', { a: isSlow }, ['a']],
    ['the only one that is not away', { a: fails(503, 'shutting_down'), b: isSlow }, ['a', 'b']],
    ['each of several', { a: isSlow, b: isSlow }, ['a', 'b']],
  ])('asks once what never connects: %s', async (_what, backends, expected) => {
    const { call, askedBy } = createPool(backends)
    const slow = () => expect(call()).rejects.toThrow(NotConnectedError)
    expect(await askedBy(slow)).toEqual(expected)
  })

  it('asks a single one once even if it lately answered', async () => {
    const { call, askedBy, table } = createPool({ a: answers })
    await call()
    table['a'] = isSlow
    const slow = () => expect(call()).rejects.toThrow(NotConnectedError)
    expect(await askedBy(slow)).toEqual(['a'])
  })

  it('does not send a body again that is passing through', async () => {
    const { call } = createPool({ a: healthyOr(refuses), b: healthyOr(answers) })
    const body = (async function* () {})()
    await expect(call({ body })).rejects.toThrow(NotConnectedError)
  })

  it('answers the last refusal when all backends turn it away', async () => {
    const { call } = createPool({
      a: fails(503, 'model_loading'),
      b: fails(503, 'shutting_down'),
    })
    const { answer } = await call()
    expect(JSON.parse(new TextDecoder().decode(await answer.arrayBuffer()))).toEqual({
      error: { code: 'shutting_down' },
    })
  })

  it('is healthy as long as one of its backends is, whichever is asked first', async () => {
    const loading: Answer = () =>
      Response.json({ status: 'unavailable', reason: 'engine_restarting' }, { status: 503 })
    const healthy: Answer = () => Response.json({ status: 'healthy' })
    const { ask, table } = createPool({ a: loading, b: healthy })
    expect((await ask('/health')).answer.status).toBe(200)
    table['b'] = loading
    const { answer } = await ask('/health')
    expect(answer.status).toBe(503)
    expect(JSON.parse(Buffer.from(await answer.arrayBuffer()).toString())).toEqual({
      status: 'unavailable',
      reason: 'engine_restarting',
    })
  })

  it('keeps away from a backend that failed, and comes back when a probe finds it well', async () => {
    const { call, askedBy, clock, table } = createPool({ a: refuses, b: healthyOr(answers) })
    await call()
    await settle()
    expect(await askedBy(() => call())).toEqual(['b'])
    table['a'] = healthyOr(answers)
    clock.ms = 500
    expect(await askedBy(() => call())).toEqual(['b'])
    await settle()
    clock.ms = 60_000
    expect(await askedBy(() => call())).toEqual(['a'])
  })

  it('starts a backend that came back slowly', async () => {
    const { call, askedBy, clock, table } = createPool({ a: refuses, b: healthyOr(answers) })
    await call()
    await settle()
    table['a'] = healthyOr(answers)
    clock.ms = 500
    await call()
    await settle()
    clock.ms = 600
    expect(await askedBy(() => call())).toEqual(['b'])
  })

  it('tries a backend that failed when there is no other', async () => {
    const { call, table } = createPool({ a: refuses })
    await expect(call()).rejects.toThrow(NotConnectedError)
    table['a'] = answers
    expect((await call()).answer.status).toBe(200)
  })

  it('finds out by itself that a backend is not well', async () => {
    const loading = fails(503, 'model_loading')
    const { call, askedBy } = createPool({
      a: (path) => (path === '/health' ? loading() : answers()),
      b: healthyOr(answers),
    })
    expect(await askedBy(() => call())).toEqual(['a'])
    await settle()
    expect(await askedBy(() => call())).toEqual(['b'])
  })

  it('does not blame a backend for a client that leaves', async () => {
    const client = new AbortController()
    const { call, askedBy } = createPool({
      a: healthyOr(() => {
        client.abort()
        return Promise.reject(new Error('aborted'))
      }),
      b: healthyOr(answers),
    })
    await expect(call({ signal: client.signal })).rejects.toThrow('aborted')
    expect(await askedBy(() => call().catch(() => undefined))).toEqual(['a'])
  })

  it('does not blame a backend for bodies that break at the client', async () => {
    const bodyFailure = () => new ServiceError('cancelled', 'The client left')
    const body = (async function* () {})()
    const { call, askedBy } = createPool({
      a: healthyOr(() => Promise.reject(new Error('aborted'))),
      b: healthyOr(answers),
    })
    const asked = await askedBy(async () => {
      for (let upload = 0; upload < 20; upload += 1) {
        await expect(call({ body, bodyFailure })).rejects.toThrow('aborted')
      }
    })
    expect(asked).toEqual(Array.from({ length: 20 }, () => 'a'))
  })

  it.each([
    ['a whole answer', fails(500, 'internal'), 'whole'],
    ['a stream', stream, 'broken'],
  ] as const)(
    'does not blame a backend for %s that its client left',
    async (_what, answer, how) => {
      const client = new AbortController()
      const { call, askedBy } = createPool({ a: healthyOr(answer), b: healthyOr(answers) })
      client.abort()
      const asked = await askedBy(async () => {
        for (let request = 0; request < 20; request += 1) {
          const { ended } = await call({ signal: client.signal })
          ended(how)
        }
      })
      expect(asked).toEqual(Array.from({ length: 20 }, () => 'a'))
    },
  )

  it('counts requests until their streams end', async () => {
    const { call, askedBy } = createPool({ a: healthyOr(stream), b: healthyOr(stream) })
    const { ended } = await call()
    expect(await askedBy(() => call())).toEqual(['b'])
    ended('left')
    expect(await askedBy(() => call())).toEqual(['a'])
  })

  it.each([
    ['broken', 'b'],
    ['cut', 'a'],
  ] as const)('after a stream that ended %s prefers %s', async (how, next) => {
    const { call, askedBy } = createPool({ a: healthyOr(stream), b: healthyOr(stream) })
    const { ended } = await call()
    ended(how)
    expect(await askedBy(() => call())).toEqual([next])
  })

  it('forgets requests that were never reported over', async () => {
    const { call, askedBy, clock } = createPool({ a: healthyOr(stream), b: healthyOr(stream) })
    for (let request = 0; request < 3; request += 1) await call()
    clock.ms = 60_000
    expect(await askedBy(() => call())).toEqual(['a'])
  })

  it('fails for a whole answer that breaks off', async () => {
    const torn = () =>
      new Response(
        new ReadableStream({ start: (controller) => controller.error(new Error('torn')) }),
      )
    const { call } = createPool({ a: torn })
    await expect(call()).rejects.toThrow('torn')
    await expect(call()).rejects.not.toThrow(ServiceError)
  })
})
