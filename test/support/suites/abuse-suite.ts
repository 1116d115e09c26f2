import { once } from 'node:events'
import { type ClientRequest, type IncomingMessage, request } from 'node:http'
import { json } from 'node:stream/consumers'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { ErrorBody } from '../../../shared/api/errors.ts'
import type { KeyView } from '../../../shared/api/administration/keys.ts'
import { createCertificates } from '../../../shared/node/certificates/create-certificates.ts'
import { edgeRoutes } from '../../../shared/api/routes.ts'
import type { EdgeSettings, RunningEdge } from './edge-suite.ts'
import { RecordingBackend } from '../backends/recording-backend.ts'

type Issued = KeyView & { readonly key: string }

/** Starts an edge that keeps its state in the folder. */
type StartEdge = (settings: EdgeSettings, stateFolder: string) => Promise<RunningEdge>

/** Bytes that requests may occupy in an edge: those of a Worker. */
export const memoryBytes = 96 * 2 ** 20

const rootKey = 'canary-root-5b0e71c0a95e2d8b'

/** Behaviour towards malicious clients, and clients that arrive at a bad moment, on every platform of the edge. */
export function describeAbuse(platform: string, start: StartEdge): void {
  describe(`abuse of the edge on ${platform}`, () => {
    let folder: string
    let backend: RecordingBackend
    let edge: RunningEdge
    let settings: EdgeSettings

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'edge-abuse-'))
      const names = { server: ['localhost'], client: 'edge' }
      const certificates = await createCertificates(names, Date.now())
      backend = await RecordingBackend.start(certificates)
      settings = { apiKey: rootKey, backendUrl: backend.url, certificates }
      edge = await start(settings, folder)
    })
    afterAll(async () => {
      await edge.stop()
      await backend.close()
      await rm(folder, { recursive: true })
    })
    beforeEach(() => backend.reset())

    const call = (method: string, path: string, key: string | undefined, body?: string) =>
      fetch(edge.url + path, {
        method,
        headers: {
          ...(key !== undefined && { 'x-api-key': key }),
          ...(body !== undefined && { 'content-type': 'application/json' }),
        },
        ...(body !== undefined && { body }),
      })
    const create = async (fields: object) => {
      const response = await call('POST', '/admin/keys', rootKey, JSON.stringify(fields))
      expect(response.status).toBe(201)
      return (await response.json()) as Issued
    }
    const allKeys = async () => (await call('GET', '/admin/keys?limit=1000', rootKey)).text()
    const guarded = Object.values(edgeRoutes).filter(({ scope }) => scope !== null)

    it('lets no key in that is empty, 1 MB long or in the URL, on any route', async () => {
      for (const { method, path } of guarded) {
        const to = path.replace(':id', 'aaaaaaaaaaaa')
        expect((await call(method, to, '')).status).toBe(401)
        const asQuery = `?api_key=${rootKey}&key=${rootKey}&x-api-key=${rootKey}`
        expect((await call(method, to + asQuery, undefined)).status).toBe(401)
        // The connection may be cut before everything was sent.
        const huge = call(method, to, 'k'.repeat(1_000_000)).then(({ status }) => status)
        expect([400, 401, 431, 'cut']).toContain(await huge.catch(() => 'cut'))
      }
      expect(backend.seen).toEqual([])
      expect((await call('GET', '/health', undefined)).status).toBe(200)
    })

    it('runs a request with an Idempotency-Key once, also over a restart', async () => {
      const ask = (body: string, idempotencyKey = 'order-7') =>
        fetch(`${edge.url}/generate/text`, {
          method: 'POST',
          headers: {
            'x-api-key': rootKey,
            'content-type': 'application/json',
            'idempotency-key': idempotencyKey,
          },
          body,
        })
      let finish = (): void => undefined
      const finished = new Promise<void>((resolve) => {
        finish = resolve
      })
      backend.answer = async (_seen, response) => {
        await finished
        response.writeHead(200, { 'content-type': 'application/json' })
        response.end(JSON.stringify({ output: crypto.randomUUID() }))
      }
      const first = ask('{"prompt":"Hi"}')
      await backend.lastSeen()
      const meanwhile = ask('{"prompt":"Hi"}')
      const conflict = await ask('{"prompt":"Bye"}')
      const { error } = (await conflict.json()) as ErrorBody
      expect([conflict.status, error.code]).toEqual([409, 'idempotency_conflict'])
      finish()
      const text = await (await first).text()
      expect(await (await meanwhile).text()).toBe(text)
      await edge.stop()
      edge = await start(settings, folder)
      const later = await ask('{"prompt":"Hi"}')
      expect([later.headers.get('idempotency-replayed'), await later.text()]).toEqual([
        'true',
        text,
      ])
      expect(backend.seen).toHaveLength(1)
    })

    it('takes no string in the place of a key or an id for more than a string', async () => {
      await create({ note: 'the one that is there' })
      const before = await allKeys()
      const strings = injections()
      expect(strings.length).toBeGreaterThanOrEqual(500)
      for (const text of strings) {
        const asKey = await call('GET', '/admin/keys', headerSafe(text))
        expect([400, 401, 429]).toContain(asKey.status)
        const id = encodeURIComponent(text)
        for (const [method, path] of [
          ['GET', `/admin/keys/${id}`],
          ['DELETE', `/admin/keys/${id}`],
          ['GET', `/admin/keys?after=${id}`],
        ] as const) {
          const response = await call(method, path, rootKey)
          expect([path, [400, 404, 405].includes(response.status)]).toEqual([path, true])
          const { error } = (await response.json()) as ErrorBody
          expect(error.request_id).not.toBe('')
        }
      }
      expect(await allKeys()).toBe(before)
    })

    it.each([
      ['a key without limits', {}, 'queue_full'],
      ['a key with one request at a time', { concurrent_requests: 1 }, 'rate_limited'],
    ])('holds few bodies of %s, however many it begins', async (_who, limits, code) => {
      const { key } = await create({ limits })
      const held = Array.from({ length: 45 }, (_, index) => {
        const upload = request(`${edge.url}/generate/image`, {
          method: 'POST',
          headers: {
            'x-api-key': key,
            'content-type': 'multipart/form-data; boundary=x',
            'content-length': 16 * 1024 * 1024,
            'idempotency-key': `upload-${index}`,
          },
        })
        upload.write('--x\r\n')
        return upload
      })
      const answered: Promise<ErrorBody>[] = []
      for (const upload of held) {
        upload.on('error', () => undefined)
        upload.on('response', (response) => answered.push(json(response) as Promise<ErrorBody>))
      }
      const kept = code === 'queue_full' ? 8 : 1
      await expect
        .poll(() => answered.length, { timeout: 20_000 })
        .toBeGreaterThanOrEqual(45 - kept)
      const codes = (await Promise.all(answered)).map(({ error }) => error.code)
      expect(new Set(codes)).toEqual(new Set([code]))
      for (const upload of held) upload.destroy()
      // Once they have left, there is room again.
      const form = new FormData()
      form.set('images', new Blob([new Uint8Array(1_000_000)]), 'a.png')
      const later = () =>
        fetch(`${edge.url}/generate/image`, {
          method: 'POST',
          headers: { 'x-api-key': key, 'idempotency-key': crypto.randomUUID() },
          body: form,
        }).then(({ status }) => status)
      await expect.poll(later, { timeout: 10_000 }).toBe(200)
    })

    it('holds few large answers of a key whose clients do not read them', async () => {
      // The largest that the API gives, several times what sockets take.
      const bytes = 16_000_000
      const text = `{"output":"${'a'.repeat(bytes - 13)}"}`
      backend.answer = (_seen, response) => {
        const headers = { 'content-type': 'application/json', 'content-length': bytes }
        response.writeHead(200, headers)
        response.end(text)
      }
      const { key } = await create({})
      const begin = async (who: string) => {
        const client = request(`${edge.url}/generate/text`, {
          method: 'POST',
          headers: { 'x-api-key': who, 'content-type': 'application/json' },
        })
        client.on('error', () => undefined)
        client.end('{"prompt":"Hi"}')
        const [response] = (await once(client, 'response')) as [IncomingMessage]
        return { client, response }
      }
      const unread: ClientRequest[] = []
      for (;;) {
        expect(unread.length).toBeLessThanOrEqual(memoryBytes / 2 / bytes)
        const { client, response } = await begin(key)
        if (response.statusCode === 200) {
          unread.push(client)
          continue
        }
        const { error } = (await json(response)) as ErrorBody
        expect([response.statusCode, error.code]).toEqual([429, 'queue_full'])
        break
      }
      const other = await begin((await create({})).key)
      expect(((await json(other.response)) as { output: string }).output).toHaveLength(bytes - 13)
      for (const client of unread) client.destroy()
      await expect
        .poll(async () => {
          const { client, response } = await begin(key)
          client.destroy()
          return response.statusCode
        })
        .toBe(200)
    })

    it('answers everybody else while one key sends ten times what it may', async () => {
      backend.answer = async (_seen, response) => {
        await new Promise((resolve) => setTimeout(resolve, 30))
        response.writeHead(200, { 'content-type': 'application/json' })
        response.end('{"output":"A red circle."}')
      }
      const greedy = await create({ limits: { concurrent_requests: 4 } })
      const modest = await create({ limits: { concurrent_requests: 4 } })
      const ask = async (key: string) => {
        const response = await call('POST', '/generate/text', key, '{"prompt":"Hi"}')
        await response.text()
        return { status: response.status, retryAfter: response.headers.get('retry-after') }
      }
      const over = new AbortController()
      const flood = Array.from({ length: 40 }, async () => {
        const answers: Awaited<ReturnType<typeof ask>>[] = []
        while (!over.signal.aborted) answers.push(await ask(greedy.key))
        return answers
      })
      for (let turn = 0; turn < 20; turn += 1) expect((await ask(modest.key)).status).toBe(200)
      over.abort()
      const answers = (await Promise.all(flood)).flat()
      const served = answers.filter(({ status }) => status === 200)
      const refused = answers.filter(({ status }) => status !== 200)
      expect(served.length).toBeGreaterThan(20)
      expect(refused.length).toBeGreaterThan(0)
      expect(new Set(refused.map(({ status, retryAfter }) => `${status} ${retryAfter}`))).toEqual(
        new Set(['429 1']),
      )
      expect((await ask(greedy.key)).status).toBe(200)
    })

    it('lets no key without the scope administer, and no other origin read', async () => {
      const user = await create({ scopes: ['text', 'image', 'image_url'] })
      const before = await allKeys()
      for (const { method, path } of guarded.filter(({ scope }) => scope === 'admin')) {
        const to = path.replace(':id', user.id)
        const response = await call(method, to, user.key, method === 'GET' ? undefined : '{}')
        const { error } = (await response.json()) as ErrorBody
        expect([response.status, error.code]).toEqual([403, 'forbidden_scope'])
        const preflight = await fetch(edge.url + to, {
          method: 'OPTIONS',
          headers: {
            origin: 'https://elsewhere.example',
            'access-control-request-method': method,
            'access-control-request-headers': 'x-api-key',
          },
        })
        expect(preflight.status).toBe(204)
        expect([...preflight.headers.keys()].join()).not.toContain('access-control')
      }
      const read = await fetch(`${edge.url}/admin/keys`, {
        headers: { origin: 'https://elsewhere.example', 'x-api-key': rootKey },
      })
      expect(read.status).toBe(200)
      expect([...read.headers.keys()].join()).not.toContain('access-control')
      expect(await allKeys()).toBe(before)
    })
  })
}

/**
 * Five hundred attempts to break out of SQL, JSON, headers, paths and templates, each containing a different number.
 */
function injections(): string[] {
  const forms = [
    "' OR '1'='1",
    "'; DROP TABLE keys; --",
    "' UNION SELECT record FROM keys --",
    '" OR ""="',
    '1; DELETE FROM keys',
    "\\'; UPDATE keys SET record='{}'; --",
    '%27%20OR%201=1',
    '","scopes":["admin"],"x":"',
    '{"$gt":""}',
    '[object Object]',
    '__proto__',
    'constructor.prototype',
    '../../etc/passwd',
    '..%2f..%2fadmin',
    '/admin/keys',
    'a\r\nx-api-key: evil',
    'a\u0000b',
    '${7*7}{{7*7}}<%= 7 %>',
    '$(id)`id`|id;id',
    '<script>alert(1)</script>',
    '?limit=1&after=',
    '#fragment',
    'NULL',
    '-1e309',
    'dsk_aaaaaaaaaaaa_' + 'A'.repeat(43) + '_AAAAAAAA',
  ]
  return forms.flatMap((form) => Array.from({ length: 20 }, (_, index) => `${form}${index}`))
}

/** As much of it as a client can send in a header. */
function headerSafe(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/g, '?')
}
