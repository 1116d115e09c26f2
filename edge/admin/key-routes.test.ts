import { Hono } from 'hono'
import { describe, expect, it } from 'vitest'
import { errorResponse, toServiceError, type ErrorBody } from '../../shared/api/errors.ts'
import type { KeyView } from '../../shared/api/administration/keys.ts'
import { testKeys } from '../../test/support/edges/test-keys.ts'
import type { IdempotencyStore } from '../idempotency/idempotency-store.ts'
import { rootKey } from '../keys/key-record.ts'
import type { KeyStore } from '../keys/key-store.ts'
import type { LogLine } from '../../shared/log/log-line.ts'
import type { EdgeEnv } from '../calls/context.ts'
import { keyRoutes } from './key-routes.ts'
import { testCall } from '../../test/support/edges/test-call.ts'

type Issued = KeyView & { readonly key: string }

function setUp(
  change: (store: KeyStore) => KeyStore = (store) => store,
  forget: IdempotencyStore['forget'] = () => false,
) {
  const clock = { ms: Date.UTC(2026, 0, 1) }
  const { keys, keyStore, wallClock } = testKeys('root-key', clock)
  const lines: LogLine[] = []
  const log = (line: LogLine) => void lines.push(line)
  const app = new Hono<EdgeEnv>()
  app.use(async (c, next) => {
    c.set('call', testCall({ key: rootKey }))
    await next()
  })
  app.onError((error) => errorResponse(toServiceError(error), 'a-request'))
  app.route(
    '/',
    keyRoutes({ keys, keyStore: change(keyStore), answers: { forget }, log, wallClock }),
  )
  const call = (method: string, path: string, body?: unknown) =>
    app.request(`/admin/keys${path}`, {
      method,
      ...(body !== undefined && {
        body: JSON.stringify(body),
        headers: { 'content-type': 'application/json' },
      }),
    })
  const create = async (body: unknown = {}) =>
    (await (await call('POST', '', body)).json()) as Issued
  return { call, create, clock, keys, lines, app }
}

async function errorOf(response: Response): Promise<[number, string, string | null]> {
  const { error } = (await response.json()) as ErrorBody
  return [response.status, error.code, error.param]
}

describe('POST /admin/keys', () => {
  it('makes a key that may do everything but administer, and shows it once', async () => {
    const { call, keys } = setUp()
    const response = await call('POST', '', {})
    expect([response.status, response.headers.get('cache-control')]).toEqual([201, 'no-store'])
    const { key, ...view } = (await response.json()) as Issued
    expect(view).toEqual({
      id: key.split('_')[1],
      note: '',
      status: 'active',
      scopes: ['text', 'image', 'image_url'],
      limits: {},
      created_at: '2026-01-01T00:00:00.000Z',
      expires_at: null,
      revoked_at: null,
      previous_valid_until: null,
    })
    expect(await keys.verify(key)).toHaveProperty('key.id', view.id)
    const shown = await (await call('GET', `/${view.id}`)).text()
    expect(JSON.parse(shown)).toEqual(view)
    expect(shown).not.toContain(key.split('_')[2])
  })

  it('takes scopes, limits, a note and an expiry', async () => {
    const { create, keys } = setUp()
    const made = await create({
      note: 'for the shop',
      scopes: ['admin', 'text', 'admin'],
      limits: { requests_per_minute: 60, images_per_day: 0 },
      expires_at: '2026-02-01T01:00:00+01:00',
    })
    expect(made).toMatchObject({
      note: 'for the shop',
      scopes: ['text', 'admin'],
      limits: { requests_per_minute: 60, images_per_day: 0 },
      expires_at: '2026-02-01T00:00:00.000Z',
    })
    expect(await keys.verify(made.key)).toEqual({
      key: {
        id: made.id,
        scopes: ['text', 'admin'],
        limits: { requestsPerMinute: 60, imagesPerDay: 0 },
      },
    })
  })

  it.each([
    [{ scope: ['text'] }, 'scope'],
    [{ scopes: [] }, 'scopes'],
    [{ scopes: ['everything'] }, 'scopes.0'],
    [{ scopes: 'text' }, 'scopes'],
    [{ limits: { requests_per_second: 1 } }, 'limits.requests_per_second'],
    [{ limits: { requests_per_minute: 0 } }, 'limits.requests_per_minute'],
    [{ limits: { concurrent_requests: 0 } }, 'limits.concurrent_requests'],
    [{ limits: { tokens_per_day: -1 } }, 'limits.tokens_per_day'],
    [{ limits: { tokens_per_day: 1.5 } }, 'limits.tokens_per_day'],
    [{ limits: null }, 'limits'],
    [{ note: 'x'.repeat(501) }, 'note'],
    [{ note: 5 }, 'note'],
    [{ expires_at: 'tomorrow' }, 'expires_at'],
    [{ expires_at: '2026-02-30T00:00:00Z' }, 'expires_at'],
    [{ expires_at: '2026-01-01T00:00:00Z' }, 'expires_at'],
    [{ expires_at: 1_900_000_000 }, 'expires_at'],
    [[], null],
    ['text', null],
  ])('refuses %j and makes nothing', async (body, param) => {
    const { call, lines } = setUp()
    expect(await errorOf(await call('POST', '', body))).toEqual([400, 'invalid_field', param])
    expect(await (await call('GET', '')).json()).toEqual({ keys: [], has_more: false })
    expect(lines).toEqual([])
  })

  it('refuses bodies of other types, and large ones', async () => {
    const { app, call } = setUp()
    const plain = await app.request('/admin/keys', { method: 'POST', body: '{}' })
    expect(await errorOf(plain)).toEqual([415, 'unsupported_media_type', null])
    const empty = await app.request('/admin/keys', { method: 'POST' })
    expect(await errorOf(empty)).toEqual([415, 'unsupported_media_type', null])
    const large = await call('POST', '', { note: 'x'.repeat(17_000) })
    expect(await errorOf(large)).toEqual([413, 'body_too_large', null])
  })
})

describe('GET /admin/keys', () => {
  it('shows keys page by page', async () => {
    const { call, create } = setUp()
    const ids: string[] = []
    for (let index = 0; index < 3; index += 1) ids.push((await create()).id)
    const pageOf = async (query: string) => {
      const page = (await (await call('GET', query)).json()) as {
        keys: KeyView[]
        has_more: boolean
      }
      return [page.keys.map(({ id }) => id), page.has_more]
    }
    expect(await pageOf('')).toEqual([ids, false])
    expect(await pageOf('?limit=2')).toEqual([ids.slice(0, 2), true])
    expect(await pageOf(`?limit=2&after=${ids[1]}`)).toEqual([ids.slice(2), false])
    expect(await pageOf('?limit=3')).toEqual([ids, false])
  })

  it.each([
    '?limit=0',
    '?limit=1001',
    '?limit=many',
    '?limit=1&limit=2',
    '?page=2',
    '?after=aaaaaaaaaaaa',
  ])('refuses %s', async (query) => {
    const { call } = setUp()
    const [status, code] = await errorOf(await call('GET', query))
    expect([status, code]).toEqual([400, 'invalid_field'])
  })
})

describe('/admin/keys/{id}', () => {
  it.each([
    ['GET', '/aaaaaaaaaaaa', undefined],
    ['GET', '/default', undefined],
    ['PATCH', '/aaaaaaaaaaaa', { note: 'x' }],
    ['DELETE', '/aaaaaaaaaaaa', undefined],
    ['POST', '/aaaaaaaaaaaa/revoke', undefined],
    ['POST', '/aaaaaaaaaaaa/rotate', undefined],
    ['POST', "/'%20OR%201=1/revoke", undefined],
  ])('answers %s %s with 404', async (method, path, body) => {
    const { call, lines } = setUp()
    expect(await errorOf(await call(method, path, body))).toEqual([404, 'not_found', 'id'])
    expect(lines).toEqual([])
  })

  it('PATCH replaces what is given, at once', async () => {
    const { call, create, keys, clock } = setUp()
    const { id, key } = await create({ note: 'a', limits: { tokens_per_day: 5 } })
    const changes = { scopes: ['image'], limits: { images_per_day: 1 } }
    const response = await call('PATCH', `/${id}`, changes)
    expect(await response.json()).toMatchObject({ ...changes, note: 'a' })
    expect(await keys.verify(key)).toEqual({
      key: { id, scopes: ['image'], limits: { imagesPerDay: 1 } },
    })
    await call('PATCH', `/${id}`, { expires_at: '2026-01-01T00:00:01Z' })
    clock.ms += 1_000
    expect(await keys.verify(key)).toEqual({ refused: 'expired' })
    await call('PATCH', `/${id}`, { expires_at: null })
    expect(await keys.verify(key)).toHaveProperty('key')
  })

  it.each([
    [{}, null],
    [{ id: 'b' }, 'id'],
    [{ revoked_at: null }, 'revoked_at'],
    [{ scopes: [] }, 'scopes'],
  ])('PATCH refuses %j and changes nothing', async (body, param) => {
    const { call, create } = setUp()
    const { key: _key, ...view } = await create()
    const response = await call('PATCH', `/${view.id}`, body)
    expect(await errorOf(response)).toEqual([400, 'invalid_field', param])
    expect(await (await call('GET', `/${view.id}`)).json()).toEqual(view)
  })

  it('DELETE ends the key and forgets it', async () => {
    const { call, create, keys } = setUp()
    const { id, key } = await create()
    expect(await (await call('DELETE', `/${id}`)).json()).toEqual({ id, removed: true })
    expect(await keys.verify(key)).toEqual({ refused: 'unknown' })
    expect((await call('DELETE', `/${id}`)).status).toBe(404)
  })

  it('revoke is for good, and the same the second time', async () => {
    const { call, create, keys, clock } = setUp()
    const { id, key } = await create()
    const first = await (await call('POST', `/${id}/revoke`)).text()
    expect(JSON.parse(first)).toMatchObject({
      status: 'revoked',
      revoked_at: '2026-01-01T00:00:00.000Z',
    })
    expect(await keys.verify(key)).toEqual({ refused: 'revoked' })
    clock.ms += 60_000
    const second = await call('POST', `/${id}/revoke`)
    expect([second.status, await second.text()]).toEqual([200, first])
    const rotation = await call('POST', `/${id}/rotate`)
    expect(await errorOf(rotation)).toEqual([409, 'key_not_active', null])
  })

  it('rotate gives a new secret, and the old one its grace', async () => {
    const { call, create, keys, clock } = setUp()
    const { id, key: old } = await create()
    const response = await call('POST', `/${id}/rotate`, { grace_seconds: 60 })
    const rotated = (await response.json()) as Issued
    expect([response.status, rotated.id]).toEqual([200, id])
    expect(rotated.previous_valid_until).toBe('2026-01-01T00:01:00.000Z')
    expect(await keys.verify(old)).toHaveProperty('key')
    expect(await keys.verify(rotated.key)).toHaveProperty('key')
    clock.ms += 60_000
    expect(await keys.verify(old)).toEqual({ refused: 'rotated' })
    expect(await (await call('GET', `/${id}`)).json()).toMatchObject({ previous_valid_until: null })
    const byDefault = (await (await call('POST', `/${id}/rotate`)).json()) as Issued
    expect(byDefault.previous_valid_until).toBe('2026-01-02T00:01:00.000Z')
  })

  it.each([{ grace_seconds: -1 }, { grace_seconds: 2_592_001 }, { grace: 5 }, 'now'])(
    'rotate refuses %j and changes nothing',
    async (body) => {
      const { call, create, keys } = setUp()
      const { id, key } = await create()
      const [status, code] = await errorOf(await call('POST', `/${id}/rotate`, body))
      expect([status, code]).toEqual([400, 'invalid_field'])
      expect(await keys.verify(key)).toHaveProperty('key')
    },
  )

  it('rotate reads a body that does not say its length nor its type', async () => {
    const { app, create, keys } = setUp()
    const { id, key } = await create()
    const response = await app.request(`/admin/keys/${id}/rotate`, {
      method: 'POST',
      body: new Blob(['{"grace_seconds":0}']).stream(),
      duplex: 'half',
    })
    expect(await errorOf(response)).toEqual([415, 'unsupported_media_type', null])
    expect(await keys.verify(key)).toHaveProperty('key')
  })

  it.each([{}, { 'content-type': 'application/json' }])(
    'rotate needs no body, with %j',
    async (headers) => {
      const { app, create } = setUp()
      const { id } = await create()
      const response = await app.request(`/admin/keys/${id}/rotate`, { method: 'POST', headers })
      expect(response.status).toBe(200)
    },
  )

  it('does not rotate an expired key', async () => {
    const { call, create, clock } = setUp()
    const { id } = await create({ expires_at: '2026-01-02T00:00:00Z' })
    clock.ms += 86_400_000
    expect(await errorOf(await call('POST', `/${id}/rotate`))).toEqual([
      409,
      'key_not_active',
      null,
    ])
  })
})

describe('the answers of a key that ends', () => {
  it.each([
    ['DELETE', ''],
    ['POST', '/revoke'],
  ])('are gone after %s %s', async (method, path) => {
    const forgotten: string[] = []
    const { call, create } = setUp(undefined, (id) => forgotten.push(id) < 3)
    const { id } = await create()
    expect((await call(method, `/${id}${path}`)).status).toBe(200)
    expect(forgotten).toEqual([id, id, id])
  })

  it('are left to their time where they cannot be reached', async () => {
    const { call, create, lines } = setUp(undefined, () => Promise.reject(new Error('gone')))
    const { id } = await create()
    expect((await call('POST', `/${id}/revoke`)).status).toBe(200)
    expect(lines.at(-1)).toMatchObject({ level: 'error', key_id: id, detail: 'gone' })
  })
})

describe('keyRoutes()', () => {
  it('writes one audit line for each change, without any key or note', async () => {
    const { call, create, lines } = setUp()
    const { id, key } = await create({ note: 'private words' })
    await call('PATCH', `/${id}`, { note: 'private words', scopes: ['text'] })
    const rotated = (await (await call('POST', `/${id}/rotate`)).json()) as Issued
    await call('POST', `/${id}/revoke`)
    await call('DELETE', `/${id}`)
    await call('GET', '')
    expect(lines.map(({ change, fields }) => [change, fields])).toEqual([
      ['key created', undefined],
      ['key changed', 'note,scopes'],
      ['key rotated', undefined],
      ['key revoked', undefined],
      ['key removed', undefined],
    ])
    for (const line of lines) {
      expect(line).toMatchObject({
        level: 'warn',
        message: 'audit',
        request_id: 'a-request',
        changed_key_id: id,
        by_key_id: 'default',
      })
    }
    const text = JSON.stringify(lines)
    for (const secret of [key, rotated.key, 'private']) expect(text).not.toContain(secret)
  })

  it('answers 503 when the store fails, and writes no audit line', async () => {
    const broken = () => Promise.reject(new Error('disk at /secret/place is full'))
    const { call, lines } = setUp((store) => ({
      checkSecret: () => store.checkSecret(),
      sync: broken,
      get: broken,
      list: broken,
      create: broken,
      update: broken,
      revoke: broken,
      rotate: broken,
      remove: broken,
    }))
    for (const [method, path, body] of [
      ['POST', '', {}],
      ['GET', '', undefined],
      ['GET', '/a', undefined],
      ['PATCH', '/a', { note: '' }],
      ['DELETE', '/a', undefined],
      ['POST', '/a/revoke', undefined],
      ['POST', '/a/rotate', undefined],
    ] as const) {
      const response = await call(method, path, body)
      expect(response.headers.get('retry-after')).toBe('2')
      expect(await response.clone().text()).not.toContain('secret')
      expect(await errorOf(response)).toEqual([503, 'keys_unavailable', null])
    }
    expect(lines).toEqual([])
  })
})
