import { readFileSync } from 'node:fs'
import { Socket } from 'node:net'
import type { Platform } from '../../../edge/platform.ts'
import { testPage } from '../edges/test-platform.ts'
import { pictureUrl } from './generated-request.ts'
import type { Operation } from './operations.ts'

const picture = readFileSync('test/golden/images/g01.png')
const boundary = 'circumstances'

/** A request that is answered well, to begin with. */
export interface Sent {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | Buffer | undefined
}

/** What a request depends on beside itself. */
export interface Circumstance {
  readonly send: Sent
  /** Parts of the platform that it meets. */
  readonly platform?: Partial<Platform>
  /** Whether the bytes are written as they are, whatever HTTP says about them. */
  readonly raw?: string
  /** Requests to be answered before it. */
  readonly after?: readonly Sent[]
}

/** What exists where the request is sent. */
export interface World {
  readonly rootKey: string
  /** A key that may do nothing which `scopes` of the operation asks for. */
  readonly foreignKey: string
  /** Ids of keys. */
  readonly activeId: string
  readonly revokedId: string
}

const user = [{ role: 'user', content: 'Hi' }]
const looking = (url: string) => ({ type: 'image_url', image_url: { url } })
const tool = { name: 'describe_image', arguments: { image: pictureUrl, max_tokens: 2 } }

/** By the name of the body's schema. */
const examples: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  TextRequest: { prompt: 'Hi', max_tokens: 2 },
  ImageUrlRequest: { prompt: 'Hi', image_url: pictureUrl, max_tokens: 2 },
  ChatRequest: { messages: user, max_tokens: 2 },
  ResponsesRequest: { input: user, max_output_tokens: 2 },
  MessagesRequest: { messages: user, max_tokens: 2 },
  MessageTokensRequest: { messages: user },
  McpMessage: { jsonrpc: '2.0', id: 1, method: 'tools/call', params: tool },
  NewKey: {},
  KeyChanges: { note: 'a' },
  KeyRotation: {},
}

/** The same about an image that cannot be fetched. */
function unreachable(name: string): object {
  const url = 'https://pictures.org/none.png'
  switch (name) {
    case 'ImageUrlRequest':
      return { image_url: url }
    case 'ChatRequest':
      return { messages: [{ role: 'user', content: [looking(url)] }] }
    case 'ResponsesRequest':
      return { input: [{ role: 'user', content: [{ type: 'input_image', image_url: url }] }] }
    default: {
      const image = { type: 'image', source: { type: 'url', url } }
      return { messages: [{ role: 'user', content: [image] }] }
    }
  }
}

/** A request of the operation that succeeds. */
function goodRequest(operation: Operation, world: World): Sent {
  const { method, path, bodies, name } = operation
  const id = name === 'model' ? 'kimi-vl' : world.activeId
  const type = Object.keys(bodies)[0]
  const headers = {
    'x-api-key': world.rootKey,
    ...(type !== undefined && { 'content-type': type }),
  }
  const filled = path
    .replace('{id}', id)
    .replace('{version}', testPage.version)
    .replace('{file}', Object.keys(testPage.files)[0]!)
  const sent = { method, path: filled, headers, body: undefined }
  if (type === undefined) return sent
  if (type === 'multipart/form-data') {
    const typed = { ...headers, 'content-type': `${type}; boundary=${boundary}` }
    return { ...sent, headers: typed, body: uploadOf(picture) }
  }
  return { ...sent, body: JSON.stringify(examples[schemaNameOf(operation)]) }
}

function schemaNameOf({ bodies }: Operation): string {
  return String(Object.values(bodies)[0]?.schema['$ref']).replace(/^.*\//, '')
}

function uploadOf(file: Buffer): Buffer {
  const field = (name: string) => `--${boundary}\r\nContent-Disposition: form-data; name="${name}"`
  return Buffer.concat([
    Buffer.from(`${field('prompt')}\r\n\r\nHi\r\n${field('images')}; filename="a.png"\r\n\r\n`),
    file,
    Buffer.from(`\r\n--${boundary}--\r\n`),
  ])
}

const away = () => Promise.reject(new Error('There is no backend'))

/** A backend that takes every call and answers none. */
const silent: Platform['backend'] = (_path, { signal }) =>
  new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error))
  })

/** How an operation comes to answer with a status that the document gives it. */
export function circumstanceOf(operation: Operation, status: number, world: World): Circumstance {
  const good = goodRequest(operation, world)
  const { headers, path, method } = good
  const withKey = (key: string) => ({ ...good, headers: { ...headers, 'x-api-key': key } })
  const start = `${method} ${path} HTTP/1.1\r\nHost: a\r\n`
  switch (status) {
    case 200:
    case 201:
      return { send: good, platform: { metrics: async () => metricsText() } }
    case 202: {
      const body = JSON.stringify({ jsonrpc: '2.0', method: 'notifications/initialized' })
      return { send: { ...good, body } }
    }
    case 400:
      return good.body === undefined
        ? { send: good, raw: `${start}no header\r\n\r\n` }
        : { send: { ...good, body: `--${boundary}` } }
    case 401:
      return { send: withKey('') }
    case 403:
      return { send: withKey(world.foreignKey) }
    case 404:
      return missing(operation, good)
    case 408:
      return { send: good, raw: start }
    case 409:
      return operation.name === 'rotateKey'
        ? { send: { ...good, path: path.replace(world.activeId, world.revokedId) } }
        : repeated(good)
    case 413: {
      const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
      return { send: good, raw: `${start}${lines.join('')}Content-Length: 300000000\r\n\r\n` }
    }
    case 415:
      return { send: { ...good, headers: { ...headers, 'content-type': 'text/plain' } } }
    case 422: {
      const name = schemaNameOf(operation)
      return {
        send: { ...good, body: JSON.stringify({ ...examples[name], ...unreachable(name) }) },
      }
    }
    case 429:
      return { send: good, platform: { admitAddress: async () => false } }
    case 431:
      return { send: good, raw: `${start}a: ${'x'.repeat(20_000)}\r\n\r\n` }
    case 500:
      return { send: good, platform: { admitAddress: () => Promise.reject(new Error('A fault')) } }
    case 503:
      return operation.needsKey
        ? { send: good, platform: { stopping: { begun: true, cut: false, signal: undefined } } }
        : { send: good, platform: { backend: away } }
    case 504:
      return { send: good, platform: { backend: silent, deadlineMs: 50 } }
    default:
      throw new RangeError(`Nothing is known that makes ${operation.name} answer ${status}`)
  }
}

function metricsText(): Response {
  return new Response('a 1\n', { headers: { 'content-type': 'text/plain' } })
}

function missing({ name }: Operation, good: Sent): Circumstance {
  if (name === 'metrics' || name === 'response') return { send: good }
  if (good.path.startsWith('/v1/') && good.body !== undefined) {
    const fields = JSON.parse(String(good.body)) as object
    return { send: { ...good, body: JSON.stringify({ ...fields, model: 'nothing' }) } }
  }
  return { send: { ...good, path: good.path.replace(/(keys|models|page)\/[^/]+/, '$1/nothing') } }
}

/** With an `Idempotency-Key` that another request had. */
function repeated(good: Sent): Circumstance {
  const first = { ...good, headers: { ...good.headers, 'idempotency-key': 'a' } }
  const other = Buffer.concat([Buffer.from(good.body ?? ''), Buffer.from(' ')])
  return { send: { ...first, body: other }, after: [first] }
}

/** What a server answers to bytes that need not be HTTP. */
export async function sendRaw(url: string, bytes: string) {
  const { hostname, port } = new URL(url)
  const socket = new Socket().connect(Number(port), hostname)
  socket.write(bytes)
  let text = ''
  for await (const chunk of socket.setEncoding('utf8')) {
    text += chunk as string
    if (/\r\n\r\n[^]*}\s*$/.test(text)) break
  }
  socket.destroy()
  const [head = '', body = ''] = text.split('\r\n\r\n', 2)
  const type = /^content-type: (.*)$/im.exec(head)?.[1] ?? ''
  return { status: Number(/^HTTP\/1\.1 (\d+)/.exec(head)?.[1]), type, text: body }
}
