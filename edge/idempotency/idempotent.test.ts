import { describe, expect, it } from 'vitest'
import type { ErrorBody } from '../../shared/api/errors.ts'
import { maxIdempotentBodyBytes } from '../../shared/api/limits.ts'
import {
  type TestBackend,
  testPlatform,
  type TestPlatformParts,
} from '../../test/support/edges/test-platform.ts'
import { createEdgeApp } from '../app.ts'

/** An edge whose backend counts its runs; `answer` decides each. */
function createTestEdge(answer: TestBackend, parts: TestPlatformParts = {}) {
  let runs = 0
  const app = createEdgeApp(
    testPlatform({
      ...parts,
      backend(path, init) {
        runs += 1
        return answer(path, init)
      },
    }),
  )
  const ask = async (prompt: string, init: RequestInit = {}, key = 'order-7') =>
    app.request('/generate/text', {
      method: 'POST',
      headers: {
        'x-api-key': 'right-key',
        'content-type': 'application/json',
        'idempotency-key': key,
      },
      body: JSON.stringify({ prompt }),
      ...init,
    })
  return { app, ask, runs: () => runs }
}

const random = async () => Response.json({ output: crypto.randomUUID() })
const codeOf = async (response: Response) => ((await response.json()) as ErrorBody).error.code

function sse(chunks: readonly string[]): Response {
  const body = new Blob([...chunks]).stream()
  return new Response(body, { headers: { 'content-type': 'text/event-stream' } })
}

describe('Idempotency-Key', () => {
  it('goes on fetching images when the client leaves', async () => {
    const client = new AbortController()
    const png = Buffer.from('89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e', 'hex')
    const { app, runs } = createTestEdge(random, {
      async fetchPublic(_url, { signal }) {
        client.abort()
        signal.throwIfAborted()
        return new Response(png)
      },
    })
    const response = await app.request('/generate/image_url', {
      method: 'POST',
      headers: {
        'x-api-key': 'right-key',
        'content-type': 'application/json',
        'idempotency-key': 'order-8',
      },
      body: JSON.stringify({ prompt: 'Hi', image_url: 'https://images.example.com/a' }),
      signal: client.signal,
    })
    expect([response.status, runs()]).toEqual([200, 1])
  })

  it('gives the same answer, from one run', async () => {
    const { ask, runs } = createTestEdge(random)
    const first = await ask('Hi')
    const text = await first.text()
    expect(first.headers.get('idempotency-replayed')).toBeNull()
    const second = await ask('Hi')
    expect([second.status, await second.text(), runs()]).toEqual([200, text, 1])
    expect(second.headers.get('idempotency-replayed')).toBe('true')
    expect(second.headers.get('content-type')).toMatch('application/json')
  })

  it('gives the same stream', async () => {
    const { ask, runs } = createTestEdge(async () =>
      sse([
        'event: delta\ndata: {"text":"\\n: failed internal\\n"}\n\n',
        'event: end\ndata: {}\n\n',
      ]),
    )
    const text = await (await ask('Hi')).text()
    const second = await ask('Hi')
    expect([await second.text(), runs()]).toEqual([text, 1])
    expect(second.headers.get('content-type')).toBe('text/event-stream')
  })

  it('lets those wait that come while the first one runs', async () => {
    let finish = (): void => undefined
    const { ask, runs } = createTestEdge(async () => {
      await new Promise<void>((resolve) => {
        finish = resolve
      })
      return random()
    })
    const all = Promise.all(Array.from({ length: 5 }, () => ask('Hi')))
    await expect.poll(runs).toBe(1)
    await new Promise((resolve) => setTimeout(resolve, 50))
    finish()
    const texts = await Promise.all((await all).map((response) => response.text()))
    expect([new Set(texts).size, runs()]).toEqual([1, 1])
  })

  it('refuses the key for another request', async () => {
    const { ask, runs } = createTestEdge(random)
    await (await ask('Hi')).text()
    const response = await ask('Bye')
    expect([response.status, await codeOf(response)]).toEqual([409, 'idempotency_conflict'])
    expect(runs()).toBe(1)
  })

  it.each([
    ['a status', async () => Response.json({ error: { code: 'internal' } }, { status: 500 })],
    ['the stream', async () => sse(['event: error\ndata: {"error":{}}\n\n: failed internal\n\n'])],
    ['the connection', () => Promise.reject(new Error('gone'))],
  ])('runs anew after a failure, told by %s', async (_how, fail) => {
    const outcomes = [fail, random]
    const { ask, runs } = createTestEdge(() => outcomes.shift()!())
    await (await ask('Hi')).text()
    expect((await ask('Hi')).status).toBe(200)
    expect(runs()).toBe(2)
  })

  it('runs to the end when the client leaves, so that it finds the answer later', async () => {
    let finish = (): void => undefined
    const { ask, runs } = createTestEdge(async (_path, { signal }) => {
      await new Promise<void>((resolve, reject) => {
        finish = resolve
        signal.addEventListener('abort', () => reject(signal.reason as Error))
      })
      return random()
    })
    const client = new AbortController()
    const left = ask('Hi', { signal: client.signal })
    await expect.poll(runs).toBe(1)
    client.abort()
    finish()
    const text = await (await left).text()
    expect(await (await ask('Hi')).text()).toBe(text)
    expect(runs()).toBe(1)
  })

  it.each([
    ['whole', async () => Response.json({ output: 'x'.repeat(1024 * 1024) })],
    [
      'streamed',
      async () => sse(Array.from({ length: 600 }, () => `data: ${'x'.repeat(2_000)}\n\n`)),
    ],
  ])('runs one whose %s answer is too long to be kept once, and says so', async (_how, long) => {
    const { ask, runs } = createTestEdge(long)
    expect((await (await ask('Hi')).text()).length).toBeGreaterThan(1024 * 1024)
    const second = await ask('Hi')
    expect([second.status, await codeOf(second), runs()]).toEqual([409, 'answer_not_kept', 1])
    expect((await ask('Hi', {}, 'order-8')).status).toBe(200)
  })

  it('reads what is too long to be kept no faster than its client', async () => {
    let sent = 0
    const { ask } = createTestEdge(async () => {
      const body = new ReadableStream({
        pull(controller) {
          sent += 1
          controller.enqueue(new TextEncoder().encode(`data: ${' '.repeat(64 * 1024)}\n\n`))
          if (sent === 1_000) controller.close()
        },
      })
      return new Response(body, { headers: { 'content-type': 'text/event-stream' } })
    })
    const reader = (await ask('Hi')).body!.getReader()
    await reader.read()
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(sent).toBeLessThan(40)
    await reader.cancel()
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(sent).toBeLessThan(40)
  })

  it.each(['', 'a b', 'x'.repeat(256)])('refuses %j as a key', async (key) => {
    const { ask, runs } = createTestEdge(random)
    const response = await ask('Hi', {}, key)
    expect([response.status, await codeOf(response), runs()]).toEqual([400, 'invalid_field', 0])
  })

  it('refuses a body too large to be held', async () => {
    const { ask } = createTestEdge(random)
    const body = 'x'.repeat(maxIdempotentBodyBytes + 1)
    const response = await ask('', { body })
    expect([response.status, await codeOf(response)]).toEqual([413, 'body_too_large'])
  })

  it('runs nothing when the promise cannot be kept', async () => {
    const answers = {
      claim: () => Promise.reject(new Error('gone')),
      settle: () => undefined,
      forget: () => false,
    }
    const { ask, runs } = createTestEdge(random, { answers })
    const response = await ask('Hi')
    expect([response.status, await codeOf(response)]).toEqual([503, 'idempotency_unavailable'])
    expect(runs()).toBe(0)
  })

  it('is checked after the API key', async () => {
    const { app } = createTestEdge(random)
    const headers = { 'idempotency-key': 'order-7' }
    const response = await app.request('/generate/text', { method: 'POST', headers })
    expect(response.status).toBe(401)
  })
})
