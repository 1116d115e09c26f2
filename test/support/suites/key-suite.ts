import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeKey } from '../../../edge/keys/key-format.ts'
import { createCertificates } from '../../../shared/node/certificates/create-certificates.ts'
import type { ErrorBody } from '../../../shared/api/errors.ts'
import type { KeyView } from '../../../shared/api/administration/keys.ts'
import { edgeRoutes } from '../../../shared/api/routes.ts'
import { type Scope, scopes } from '../../../shared/api/administration/scopes.ts'
import { RecordingBackend } from '../backends/recording-backend.ts'
import type { EdgeSettings, RunningEdge } from './edge-suite.ts'

type Issued = KeyView & { readonly key: string }

/** Starts an edge that keeps its state in the folder. */
type StartEdge = (
  settings: EdgeSettings,
  stateFolder: string,
  vars?: Record<string, string>,
) => Promise<RunningEdge>

/** The error of most routes, of Messages, or of MCP. */
interface AnyErrorBody {
  readonly error?: {
    /** A number where it is one of JSON-RPC, which has ours in its data. */
    readonly code?: string | number
    readonly data?: { readonly code: string }
    readonly details?: { readonly error_code: string }
  }
}

const codeOf = ({ error }: AnyErrorBody) =>
  error?.data?.code ?? error?.code ?? error?.details?.error_code

const rootKey = 'canary-root-71c0a95e2d8b'

/** Behaviour of keys on every platform of the edge. */
export function describeKeys(platform: string, start: StartEdge): void {
  describe(`keys on ${platform}`, () => {
    let folder: string
    let backend: RecordingBackend
    let edge: RunningEdge
    let settings: EdgeSettings
    /** Every key that existed; none may appear anywhere. */
    const allKeys: string[] = [rootKey]

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'edge-keys-'))
      const names = { server: ['localhost'], client: 'edge' }
      const certificates = await createCertificates(names, Date.now())
      backend = await RecordingBackend.start(certificates)
      settings = { apiKey: rootKey, backendUrl: backend.url, certificates }
      edge = await start(settings, folder, { REVOCATION_CUTS_STREAMS: 'true' })
    })
    afterAll(async () => {
      await edge.stop()
      await backend.close()
      await rm(folder, { recursive: true })
    })

    const call = (
      method: string,
      path: string,
      key: string | undefined,
      body?: unknown,
      address?: Record<string, string>,
    ) =>
      fetch(edge.url + path, {
        method,
        headers: {
          ...address,
          ...(key !== undefined && { 'x-api-key': key }),
          ...(body !== undefined && { 'content-type': 'application/json' }),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      })
    const admin = async <Answer = Issued>(method: string, path: string, body?: unknown) => {
      const response = await call(method, `/admin/keys${path}`, rootKey, body)
      expect(response.ok).toBe(true)
      const answer = (await response.json()) as Answer & { key?: string }
      if (answer.key !== undefined) allKeys.push(answer.key)
      return answer
    }
    const past = '2001-01-01T00:00:00Z'

    describe.each(Object.entries(edgeRoutes))('route %s', (name, { method, path, scope }) => {
      // An address for each route: all their invalid keys together would be braked.
      const address = `198.51.100.${Object.keys(edgeRoutes).indexOf(name)}`
      const from = { 'x-forwarded-for': address, 'cf-connecting-ip': address }
      const ask = async (key: string | undefined) => {
        const target = path.replace(':id', 'aaaaaaaaaaaa')
        const response = await call(method, target, key, undefined, from)
        const text = await response.text()
        const isJson = response.headers.get('content-type')?.includes('json') === true
        return [response.status, isJson ? codeOf(JSON.parse(text) as AnyErrorBody) : null]
      }

      it.runIf(scope === null)('asks for no key', async () => {
        for (const key of [undefined, 'wrong']) {
          const [status] = await ask(key)
          expect([401, 403]).not.toContain(status)
        }
      })

      it.skipIf(scope === null)('judges every kind of key', async () => {
        const wanted: readonly Scope[] = [scope ?? []].flat()
        const all = { scopes: [...scopes] }
        const [expired, revoked, removed] = [
          await admin('POST', '', all),
          await admin('POST', '', all),
          await admin('POST', '', all),
        ]
        await admin('PATCH', `/${expired.id}`, { expires_at: past })
        await admin('POST', `/${revoked.id}/revoke`)
        await admin('DELETE', `/${removed.id}`)
        const right = await admin('POST', '', { scopes: [wanted[0]] })
        const foreign = await makeKey('the secret of another installation')

        expect(await ask(undefined)).toEqual([401, 'missing_api_key'])
        expect(await ask(`${rootKey}x`)).toEqual([401, 'invalid_api_key'])
        expect(await ask('garbage, with spaces')).toEqual([401, 'invalid_api_key'])
        expect(await ask(`${right.key.slice(0, -1)}-`)).toEqual([401, 'invalid_api_key'])
        expect(await ask(foreign.text)).toEqual([401, 'invalid_api_key'])
        expect(await ask(removed.key)).toEqual([401, 'invalid_api_key'])
        expect(await ask(expired.key)).toEqual([401, 'expired_api_key'])
        expect(await ask(revoked.key)).toEqual([401, 'revoked_api_key'])
        const otherScopes = scopes.filter((other) => !wanted.includes(other))
        // A route that any scope opens has no wrong ones.
        const others =
          otherScopes.length === 0 ? [] : [await admin('POST', '', { scopes: otherScopes })]
        const answers = await Promise.all(others.map(({ key }) => ask(key)))
        expect(answers).toEqual(others.map(() => [403, 'forbidden_scope']))
        for (const key of [right.key, rootKey]) {
          const [status] = await ask(key)
          expect([401, 403]).not.toContain(status)
        }
      })
    })

    it('accepts a key as X-API-Key and as bearer token, and gives the backend its id', async () => {
      const { id, key } = await admin('POST', '', {})
      for (const headers of [{ 'x-api-key': key }, { authorization: `Bearer ${key}` }]) {
        backend.reset()
        const response = await fetch(`${edge.url}/generate/text`, {
          method: 'POST',
          headers: { ...headers, 'content-type': 'application/json' } as Record<string, string>,
          body: '{"prompt":"Hi"}',
        })
        expect(response.status).toBe(200)
        expect((await backend.lastSeen()).headers['x-key-id']).toBe(id)
      }
    })

    it('answers malformed JSON of an administrator with a typed error', async () => {
      const response = await fetch(`${edge.url}/admin/keys`, {
        method: 'POST',
        headers: { 'x-api-key': rootKey, 'content-type': 'application/json' },
        body: '{"note":',
      })
      const { error } = (await response.json()) as ErrorBody
      expect([response.status, error.code]).toEqual([400, 'invalid_json'])
    })

    it('refuses a chunked body of an administrator that is too large', async () => {
      const text = JSON.stringify({ note: 'x'.repeat(20_000) })
      const response = await fetch(`${edge.url}/admin/keys`, {
        method: 'POST',
        headers: { 'x-api-key': rootKey, 'content-type': 'application/json' },
        body: new Blob([text]).stream(),
        duplex: 'half',
      })
      const { error } = (await response.json()) as ErrorBody
      expect([response.status, error.code]).toEqual([413, 'body_too_large'])
    })

    it('says which methods a path has', async () => {
      const response = await call('PUT', '/admin/keys', rootKey)
      expect([response.status, response.headers.get('allow')]).toEqual([
        405,
        'POST, GET, HEAD, OPTIONS',
      ])
    })

    it('keeps old and new secret good during a rotation', async () => {
      const { id, key: old } = await admin('POST', '', {})
      const { key } = await admin('POST', `/${id}/rotate`)
      for (const secret of [old, key]) {
        expect((await call('POST', '/generate/text', secret, { prompt: 'Hi' })).status).toBe(200)
      }
      const { key: last } = await admin('POST', `/${id}/rotate`, { grace_seconds: 0 })
      for (const secret of [old, key]) {
        expect((await call('POST', '/generate/text', secret, { prompt: 'Hi' })).status).toBe(401)
      }
      expect((await call('POST', '/generate/text', last, { prompt: 'Hi' })).status).toBe(200)
    })

    it('ends a running stream of a revoked key with a typed event', async () => {
      backend.answer = (_seen, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' })
        const ticking = setInterval(
          () => response.write('event: delta\ndata: {"text":"a"}\n\n'),
          50,
        )
        response.on('close', () => clearInterval(ticking))
      }
      backend.seen.length = 0
      const { id, key } = await admin('POST', '', {})
      const response = await call('POST', '/generate/text', key, { prompt: 'Hi', stream: true })
      const whole = response.text()
      await admin('POST', `/${id}/revoke`)
      expect(await whole).toMatch(
        /event: error\ndata: \{.*"code":"revoked_api_key".*\}\n\n: failed revoked_api_key\n\n$/,
      )
      expect(await (await backend.lastSeen()).over).toBe(false)
      backend.reset()
    })

    it('keeps keys over a restart, and knows at once what was revoked before', async () => {
      const [kept, revoked] = [await admin('POST', '', {}), await admin('POST', '', {})]
      await admin('POST', `/${revoked.id}/revoke`)
      await edge.stop()
      const earlier = edge.output()
      edge = await start(settings, folder, { REVOCATION_CUTS_STREAMS: 'true' })
      expect((await call('POST', '/generate/text', kept.key, { prompt: 'Hi' })).status).toBe(200)
      expect((await call('POST', '/generate/text', revoked.key, { prompt: 'Hi' })).status).toBe(401)
      expectNoKeys(earlier, allKeys)
    })

    it('writes no key anywhere: not in logs, nor in answers, nor in its store', async () => {
      const { key } = await admin('POST', '', { note: 'the last one' })
      for (const path of ['/nothing', `/admin/keys/${key}`, `/${key}?key=${key}`]) {
        const response = await call('POST', path, key, { prompt: key, note: key })
        expectNoKeys(await response.text(), allKeys)
      }
      await call('GET', '/v1/models', key)
      await expect.poll(() => edge.output()).toContain('"route":"/v1/models"')
      expectNoKeys(edge.output(), allKeys)
      await edge.stop()
      const files = await filesBelow(folder)
      expect(files.some((bytes) => bytes.includes('the last one'))).toBe(true)
      for (const bytes of files) expectNoKeys(bytes.toString('latin1'), allKeys)
      edge = await start(settings, folder)
    })
  })
}

/** Not as a whole, and not their secret parts. */
function expectNoKeys(text: string, keys: readonly string[]): void {
  for (const key of keys) {
    const secret = key.split('_')[2] ?? key
    expect(text.includes(secret)).toBe(false)
  }
}

async function filesBelow(folder: string): Promise<Buffer[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true })
  const files = entries.filter((entry) => entry.isFile())
  return Promise.all(files.map((file) => readFile(join(file.parentPath, file.name))))
}
