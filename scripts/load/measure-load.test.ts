import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { setImmediate } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import type { LoadApi, Workload } from './load-api.ts'
import { loadTable } from './load-report.ts'
import { measureLoad } from './measure-load.ts'
import { nativeApi } from './native-api.ts'
import { openAiApi } from './openai-api.ts'

const image = {
  name: 'a.png',
  type: 'image/png' as const,
  bytes: Uint8Array.from([0x89, 0x50, 0x4e, 0x47]),
}
const workload: Workload = { prompt: 'Request {n}', images: [], maxTokens: 5, temperature: 0 }

let stop: () => void = () => undefined
afterEach(() => stop())

interface Call {
  readonly path: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

/** A server on a free port that remembers its calls. */
async function startStub(answer: (response: ServerResponse, call: Call) => Promise<void> | void) {
  const calls: Call[] = []
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      const call = { path: request.url ?? '', headers: request.headers, body }
      calls.push(call)
      return answer(response, call)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  stop = () => {
    server.close()
    server.closeAllConnections()
  }
  const { port } = server.address() as AddressInfo
  return { calls, url: new URL(`http://127.0.0.1:${port}`) }
}

/** Sends a stream in pieces of seven bytes. */
async function stream(response: ServerResponse, content: string) {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  const bytes = Buffer.from(content)
  for (let at = 0; at < bytes.length; at += 7) {
    response.write(bytes.subarray(at, at + 7))
    await setImmediate()
  }
  response.end()
}

const nativeStream = (tokens: number) =>
  `event: queued\ndata: {"request_id":"r","position":0}\n\n${'event: delta\ndata: {"text":"é"}\n\n'.repeat(2)}event: end\ndata: {"finish_reason":"stop","usage":{"completion_tokens":${tokens}}}\n\n`

const run = (
  url: URL,
  api: LoadApi,
  { signal = new AbortController().signal, requests = 6, timeoutMs = 20_000 } = {},
) =>
  measureLoad(
    { url, key: 'the-key', api, timeoutMs },
    { requests, concurrency: 2, ratePerSecond: undefined },
    signal,
  )

describe('measureLoad()', () => {
  it('measures a server with this API', async () => {
    const { url, calls } = await startStub((response, { body }) => {
      const { prompt } = JSON.parse(body) as { prompt: string }
      if (prompt !== 'Request 3') return stream(response, nativeStream(5))
      return void response.writeHead(429).end('{"error":{"code":"queue_full","message":"full"}}')
    })
    const statistics = await run(url, nativeApi(workload))
    expect(statistics).toMatchObject({
      ok: 5,
      failed: 1,
      failures: { queue_full: 1 },
      outputTokens: 25,
      tokensFrom: 'usage',
      tokensPerStream: { max: 5, min: 5, ratio: 1 },
    })
    expect(calls).toHaveLength(6)
    expect(calls[0]).toMatchObject({ path: '/generate/text', headers: { 'x-api-key': 'the-key' } })
    expect(JSON.parse(calls[0]!.body)).toEqual({
      prompt: 'Request 1',
      max_tokens: 5,
      temperature: 0,
      stream: true,
    })
    const table = loadTable(statistics)
    expect(table).toMatch(/requests ok \/ failed \/ stopped +\| 5 \/ 1 \/ 0 /)
    expect(table).toMatch(/failed: queue_full +\| 1 /)
    expect(table).toContain('25 (counted from usage)')
  })

  it('uploads images to a server with this API', async () => {
    const { url, calls } = await startStub((response) => stream(response, nativeStream(2)))
    const api = nativeApi({ ...workload, images: [image, image] })
    expect(await run(url, api, { requests: 1 })).toMatchObject({ ok: 1 })
    const { path, headers, body } = calls[0]!
    expect(path).toBe('/generate/image')
    expect(headers['content-type']).toMatch(/^multipart\/form-data; boundary=/)
    expect(body.match(/name="images"; filename="a.png"/g)).toHaveLength(2)
    expect(body).toMatch(/name="stream"\r\n\r\ntrue/)
  })

  it('measures a server with the OpenAI API', async () => {
    const { url, calls } = await startStub((response, { path }) => {
      if (path !== '/v1/chat/completions') return void response.writeHead(404).end()
      const delta = 'data: {"choices":[{"delta":{"content":"é"}}]}\n\n'
      const end = 'data: {"choices":[{"delta":{},"finish_reason":"length"}]}\n\ndata: [DONE]\n\n'
      return stream(response, delta.repeat(3) + end)
    })
    const api = openAiApi({ ...workload, images: [image] }, 'peer')
    const statistics = await run(new URL('/v1/', url), api)
    expect(statistics).toMatchObject({ ok: 6, failed: 0, outputTokens: 18, tokensFrom: 'deltas' })
    expect(calls[0]!.headers.authorization).toBe('Bearer the-key')
    expect(JSON.parse(calls[0]!.body)).toMatchObject({
      model: 'peer',
      messages: [
        {
          role: 'user',
          content: [
            { type: 'image_url', image_url: { url: 'data:image/png;base64,iVBORw==' } },
            { type: 'text', text: 'Request 1' },
          ],
        },
      ],
      max_tokens: 5,
      stream_options: { include_usage: true },
    })
  })

  it('names what is no answer at all', async () => {
    const { url } = await startStub((response, { body }) => {
      if (body.includes('Request 1"')) response.writeHead(302, { location: '/elsewhere' }).end()
      else response.destroy()
    })
    expect(await run(url, nativeApi(workload), { requests: 2 })).toMatchObject({
      ok: 0,
      failures: { http_302: 1, UND_ERR_SOCKET: 1 },
    })
  })

  it('gives up a request whose time is up', async () => {
    const { url } = await startStub(() => undefined)
    const statistics = await run(url, nativeApi(workload), { requests: 1, timeoutMs: 20 })
    expect(statistics).toMatchObject({ ok: 0, failures: { timeout: 1 } })
  })

  it('counts what was seen when it is ended', async () => {
    const ended = new AbortController()
    const { url, calls } = await startStub((response, { body }) => {
      if (body.includes('Request 1"')) return stream(response, nativeStream(4))
      response.writeHead(200).write('event: delta\ndata: {"text":"a"}\n\n')
      // The first has been answered by the time both lanes hang.
      if (calls.length === 3) ended.abort()
      return undefined
    })
    const statistics = await run(url, nativeApi(workload), { signal: ended.signal })
    expect(statistics).toMatchObject({ ok: 1, failed: 0, stopped: 2 })
    expect(calls).toHaveLength(3)
  })
})
