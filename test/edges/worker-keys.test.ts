import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ErrorBody } from '../../shared/api/errors.ts'
import type { KeyView } from '../../shared/api/administration/keys.ts'
import { createCertificates } from '../../shared/node/certificates/create-certificates.ts'
import { RecordingBackend } from '../support/backends/recording-backend.ts'
import type { EdgeSettings } from '../support/suites/edge-suite.ts'
import { describeKeys } from '../support/suites/key-suite.ts'
import { startWorkerd } from '../support/edges/workerd-edge.ts'

describeKeys('Worker', (settings, persist, vars = {}) => startWorkerd(settings, { persist, vars }))

describe('isolates that share the key authority', () => {
  const isolates = 3
  let backend: RecordingBackend
  let settings: EdgeSettings

  beforeAll(async () => {
    const names = { server: ['localhost'], client: 'edge' }
    const certificates = await createCertificates(names, Date.now())
    backend = await RecordingBackend.start(certificates)
    settings = { apiKey: 'root-key-nobody-guesses-1', backendUrl: backend.url, certificates }
  })
  afterAll(() => backend.close())

  it.each([
    [0, 0],
    [2_000, 2_000],
    // The default of wrangler.toml.
    [undefined, 2_000],
  ])('accept no revoked key past the bound at staleness %o', async (maxStaleMs, boundMs) => {
    const vars: Record<string, string> =
      maxStaleMs === undefined ? {} : { REVOCATION_MAX_STALE_MS: String(maxStaleMs) }
    const edge = await startWorkerd(settings, { isolates, vars })
    try {
      const { id, key } = await create(edge.url)
      // Every isolate knows the key to be valid, and has just asked.
      for (const url of edge.urls) expect(await ask(url, key)).toBe(200)

      const over = new AbortController()
      const asked: { isolate: number; startedAt: number; status: number }[] = []
      const load = edge.urls.flatMap((url, isolate) =>
        Array.from({ length: 4 }, async () => {
          while (!over.signal.aborted) {
            const startedAt = performance.now()
            asked.push({ isolate, startedAt, status: await ask(url, key) })
          }
        }),
      )
      await sleep(300)
      await revoke(edge.url, id)
      const revokedAt = performance.now()
      const since = (ms: number) => asked.filter(({ startedAt }) => startedAt >= ms)
      const isolatesAsked = () =>
        new Set(since(revokedAt + boundMs).map(({ isolate }) => isolate)).size
      await sleep(boundMs)
      await expect.poll(isolatesAsked, { timeout: 30_000 }).toBe(isolates)
      // A late mistake would show, too.
      await sleep(500)
      over.abort()
      await Promise.all(load)

      const after = since(revokedAt)
      const late = since(revokedAt + boundMs)
      expect(asked.filter(({ status }) => status !== 200 && status !== 401)).toEqual([])
      expect(late.filter(({ status }) => status !== 401)).toEqual([])
      // The isolate that revoked it refuses at once.
      expect(after.filter(({ isolate, status }) => isolate === 0 && status !== 401)).toEqual([])
    } finally {
      await edge.stop()
    }
  })

  it('believe copies of keys in KV only as far as they know them to be true', async () => {
    const edge = await startWorkerd(settings, { isolates, breakableAuthority: true })
    try {
      const [first, ...others] = edge.urls as [string, string, string]
      const copies = await edge.keyCopies()
      const copyOf = (id: string) => copies.get(`key:${id}`)
      const [busy, good, revoked, spoiled, missing] = [
        await create(first),
        await create(first),
        await create(first),
        await create(first),
        await create(first),
      ]
      for (const { id, key } of [good, revoked, spoiled, missing]) {
        await expect.poll(() => copyOf(id)).toContain(`"id":"${id}"`)
        expect(await copyOf(id)).not.toContain(key.split('_')[2])
      }
      // An attacker restores the copy from before the revocation, forges another one, and removes a third.
      const old = (await copyOf(revoked.id))!
      await revoke(first, revoked.id)
      await expect.poll(() => copyOf(revoked.id)).not.toBe(old)
      await copies.put(`key:${revoked.id}`, old)
      await copies.put(`key:${spoiled.id}`, old.replaceAll(revoked.id, spoiled.id))
      await copies.delete(`key:${missing.id}`)

      // These isolates learn what changed, but have never seen the keys.
      for (const url of others) {
        expect(await ask(url, busy.key)).toBe(200)
        expect(await ask(url, revoked.key)).toBe(401)
        expect(await ask(url, spoiled.key)).toBe(200)
      }
      expect(edge.output().split('The copy of a key is not genuine')).toHaveLength(
        1 + others.length,
      )
      await edge.breakAuthority(true)
      for (const url of others) {
        expect(await ask(url, good.key)).toBe(200)
        expect(await ask(url, missing.key)).toBe(503)
      }
    } finally {
      await edge.stop()
    }
  })

  it('go on for the grace when the authority is gone, then answer 503', async () => {
    const graceMs = 3_000
    const vars = { REVOCATION_MAX_STALE_MS: '1', REVOCATION_GRACE_MS: String(graceMs) }
    const edge = await startWorkerd(settings, { vars, breakableAuthority: true })
    try {
      const { key } = await create(edge.url)
      const begunAt = performance.now()
      const unknown = await create(edge.url)
      expect(await ask(edge.url, key)).toBe(200)
      await edge.breakAuthority(true)
      const statuses: number[] = []
      while (statuses.at(-1) !== 503) {
        statuses.push(await ask(edge.url, key))
        await sleep(50)
      }
      expect(performance.now() - begunAt).toBeGreaterThan(graceMs)
      for (let more = 0; more < 10; more++) statuses.push(await ask(edge.url, key))
      expect(await ask(edge.url, 'garbage')).toBe(401)
      expect(await ask(edge.url, 'root-key-nobody-guesses-1')).toBe(200)
      const response = await post(`${edge.url}/generate/text`, unknown.key, '{"prompt":"Hi"}')
      const { error } = (await response.json()) as ErrorBody
      expect([response.status, error.code]).toEqual([503, 'keys_unavailable'])
      expect(response.headers.get('retry-after')).toBe('2')
      // At first all are accepted, later none.
      expect(statuses[0]).toBe(200)
      expect(statuses.at(-1)).toBe(503)
      expect(statuses).toEqual(statuses.toSorted((left, right) => left - right))
      await edge.breakAuthority(false)
      expect(await ask(edge.url, key)).toBe(200)
    } finally {
      await edge.stop()
    }
  })
})

function post(url: string, key: string, body: string): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    headers: { 'x-api-key': key, 'content-type': 'application/json' },
    body,
  })
}

async function create(url: string): Promise<KeyView & { readonly key: string }> {
  return (await (
    await post(`${url}/admin/keys`, 'root-key-nobody-guesses-1', '{}')
  ).json()) as KeyView & { key: string }
}

async function revoke(url: string, id: string): Promise<void> {
  const response = await post(`${url}/admin/keys/${id}/revoke`, 'root-key-nobody-guesses-1', '')
  expect(response.status).toBe(200)
}

async function ask(url: string, key: string): Promise<number> {
  const response = await post(`${url}/generate/text`, key, '{"prompt":"Hi"}')
  await response.arrayBuffer()
  return response.status
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
