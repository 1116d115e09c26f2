import { once } from 'node:events'
import type { Server, ServerOptions } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { Hono } from 'hono'
import { afterEach, describe, expect, it } from 'vitest'
import type { LogLine } from '../../shared/log/log-line.ts'
import type { EdgeEnv } from '../calls/context.ts'
import { createHttpServer } from './http-server.ts'

let server: Server
afterEach(() => server.close())

/** Everything a client that sends `text`, and later `more`, receives until the connection ends. */
async function answerTo(text: string, options: ServerOptions = {}, more = ''): Promise<string> {
  const app = new Hono<EdgeEnv>()
  app.get('/', (c) => {
    if (more === '') return c.text('abcd')
    const start = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(new TextEncoder().encode('ab')),
    })
    return new Response(start, { headers: { 'content-length': '4' } })
  })
  app.post('/', (c) => c.text('no', 401))
  const log = ({ request_id: id, code }: LogLine) => logged.push([id, code])
  server = createHttpServer(app, log, options)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  let heard = ''
  socket.setEncoding('utf8').on('data', (piece: string) => {
    if (heard === '' && more !== '') socket.write(more)
    heard += piece
  })
  socket.write(text)
  await once(socket, 'close')
  return heard
}

const logged: unknown[][] = []
const good = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'

describe('createHttpServer()', () => {
  it.each([
    ['what is no HTTP', 'hello\r\n\r\n', {}, 400, 'malformed_request'],
    [
      'headers without end',
      `GET / HTTP/1.1\r\nA: ${'a'.repeat(20_000)}`,
      {},
      431,
      'headers_too_large',
    ],
    [
      'a request that does not come to its end',
      'GET / HTTP/1.1\r\n',
      { headersTimeout: 50, connectionsCheckingInterval: 20 },
      408,
      'request_timeout',
    ],
    [
      'a host that is none',
      'GET / HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n',
      {},
      400,
      'malformed_request',
    ],
    ['two hosts', 'GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n', {}, 400, 'malformed_request'],
    ['no host', 'GET / HTTP/1.1\r\nConnection: close\r\n\r\n', {}, 400, 'malformed_request'],
    [
      'a target that is no path',
      'OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
      {},
      400,
      'malformed_request',
    ],
    ['the next request on a connection', `${good}hello\r\n\r\n`, {}, 400, 'malformed_request'],
  ])('answers %s in the form of all errors', async (_what, text, options, status, code) => {
    const heard = await answerTo(text, options)
    const [head, body] = heard.slice(heard.lastIndexOf('HTTP/1.1')).split('\r\n\r\n')
    const { error } = JSON.parse(body!) as { error: { code: string; request_id: string } }
    expect(error.code).toBe(code)
    expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} \\w`))
    expect(head).toContain(`x-request-id: ${error.request_id}`)
    expect(logged.at(-1)).toEqual([error.request_id, code])
  })

  it('does not mind what else a client expects', async () => {
    const heard = await answerTo(
      'GET / HTTP/1.1\r\nHost: a\r\nExpect: cake\r\nConnection: close\r\n\r\n',
    )
    expect(heard).toMatch(/^HTTP\/1.1 200 OK[^]*abcd$/)
  })

  it('neither answers nor logs the rest of a body whose request was answered early', async () => {
    const before = logged.length
    const head = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n'
    const heard = await answerTo(head, {}, 'no chunk\r\n')
    expect(heard).toMatch(/^HTTP\/1.1 401 Unauthorized[^]*\r\n\r\nno$/)
    expect(logged.length).toBe(before)
  })

  it('adds nothing to an answer that has begun', async () => {
    const heard = await answerTo(good, {}, 'hello\r\n\r\n')
    expect(heard.endsWith('\r\n\r\nab')).toBe(true)
  })
})
