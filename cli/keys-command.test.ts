import { Hono } from 'hono'
import { describe, expect, it } from 'vitest'
import { keyRoutes } from '../edge/admin/key-routes.ts'
import { rootKey } from '../edge/keys/key-record.ts'
import type { EdgeEnv } from '../edge/calls/context.ts'
import { errorResponse, toServiceError } from '../shared/api/errors.ts'
import type { KeyView } from '../shared/api/administration/keys.ts'
import type { DayUsage } from '../shared/api/administration/usage.ts'
import { testKeys } from '../test/support/edges/test-keys.ts'
import { testCall } from '../test/support/edges/test-call.ts'
import { keysCommand } from './keys-command.ts'

const now = Date.UTC(2026, 0, 1)

/** The command line in front of the real admin routes. */
function setUp(environment: Record<string, string> = { DESCRIBE_API_KEY: 'root-key' }) {
  const { keys, keyStore, wallClock } = testKeys('root-key', { ms: now })
  const app = new Hono<EdgeEnv>()
  app.use(async (c, next) => {
    c.set('call', testCall({ key: rootKey }))
    seen.push({ url: c.req.url, key: c.req.header('x-api-key') })
    await next()
  })
  app.onError((error) => errorResponse(toServiceError(error), 'a-request'))
  app.route(
    '/',
    keyRoutes({
      keys,
      keyStore,
      wallClock,
      answers: { forget: () => false },
      log: () => undefined,
    }),
  )
  app.get('/admin/usage', (c) => {
    const day = (key_id: string): DayUsage => ({
      key_id,
      day: '2026-01-01',
      requests: 12,
      errors: 1,
      cancelled: 2,
      images: 3,
      prompt_tokens: 100,
      image_tokens: 64,
      completion_tokens: 40,
      unfinished_tokens: 0,
      seconds: 1.25,
    })
    const isFirst = c.req.query('after') === undefined
    const page = { from: '2026-01-01', to: '2026-01-01', next: isFirst ? 'one' : null }
    return c.json({ ...page, usage: [day(isFirst ? 'one' : 'two')] })
  })
  const seen: { url: string; key: string | undefined }[] = []
  const lines: string[] = []
  const run = async (...words: string[]): Promise<string> => {
    lines.length = 0
    const parts = {
      environment,
      fetch: (async (url: URL, init: RequestInit) => app.request(url.href, init)) as typeof fetch,
      print: (line: string) => void lines.push(line),
      note: () => undefined,
      now: () => now,
    }
    const command = keysCommand(parts)
    for (const each of [command, ...command.commands]) {
      each.exitOverride().configureOutput({ writeErr: () => undefined })
    }
    await command.parseAsync(words, { from: 'user' })
    return lines.join('\n')
  }
  const create = async (...words: string[]) =>
    JSON.parse(await run('create', '--json', ...words)) as KeyView & { key: string }
  return { run, create, keys, seen }
}

describe('keysCommand()', () => {
  it('create makes a working key and shows it once', async () => {
    const { run, keys } = setUp()
    const output = await run('create', '--note', 'the shop')
    const key = /^dsk_\w+$/m.exec(output)?.[0] ?? ''
    expect(await keys.verify(key)).toHaveProperty('key')
    expect(output).toContain('the shop')
    expect(await run('list')).not.toContain(key)
  })

  it('create passes on scopes, limits and the expiry', async () => {
    const { create } = setUp()
    const words = ['--scopes', 'text,admin', '--tokens-per-day', '500', '--expires', '30d']
    expect(await create(...words)).toMatchObject({
      scopes: ['text', 'admin'],
      limits: { tokens_per_day: 500 },
      expires_at: '2026-01-31T00:00:00.000Z',
    })
  })

  it.each([
    ['--scopes', 'everything'],
    ['--expires', 'soon'],
    ['--expires', '999999999d'],
    ['--expires', '2026-02-31'],
    ['--expires', '2026-02-31T10:00+02:00'],
    ['--tokens-per-day', '-5'],
    ['--tokens-per-day', '1e3'],
    ['--requests-per-minute', '0'],
  ])('create refuses %s %s before asking anybody', async (...words) => {
    const { run, seen } = setUp()
    await expect(run('create', ...words)).rejects.toThrow(words[0])
    expect(seen).toEqual([])
  })

  it('list shows keys as a table that a terminal can be trusted with', async () => {
    const { run, create } = setUp()
    expect(await run('list')).toBe('There are no keys yet.')
    const first = await create('--note', 'red\u001B[31m\u202Eevil')
    const second = await create('--expires', '2026-02-01')
    expect((await run('list')).split('\n')).toEqual([
      'ID            STATUS  SCOPES                CREATED     EXPIRES     NOTE',
      `${first.id}  active  text,image,image_url  2026-01-01  never       red [31m evil`,
      `${second.id}  active  text,image,image_url  2026-01-01  2026-02-01`,
    ])
    const listed = JSON.parse(await run('list', '--json')) as KeyView[]
    expect(listed.map(({ id }) => id)).toEqual([first.id, second.id])
  })

  it('show, rotate and revoke work on one key', async () => {
    const { run, create, keys } = setUp()
    const { id, key: old } = await create()
    const output = await run('rotate', id, '--grace', '2h')
    expect(output).toContain('old secret works until  2026-01-01T02:00:00.000Z')
    const key = /^dsk_\w+$/m.exec(output)?.[0] ?? ''
    expect(await keys.verify(key)).toHaveProperty('key')
    expect(await keys.verify(old)).toHaveProperty('key')
    expect(await run('revoke', id)).toContain('revoked')
    expect(await keys.verify(key)).toEqual({ refused: 'revoked' })
    expect(await run('show', id)).toMatch(/^status +revoked$/m)
  })

  it('reports what the server refused', async () => {
    const { run } = setUp()
    await expect(run('show', '../../x')).rejects.toThrow('There is no key ../../x (not_found)')
  })

  it('usage shows all pages', async () => {
    const { run } = setUp()
    expect((await run('usage', '--from', '2026-01-01')).split('\n')).toEqual([
      'KEY  DAY         REQUESTS  ERRORS  CANCELLED  IMAGES  PROMPT  IMAGE  COMPLETION  SECONDS',
      'one  2026-01-01  12        1       2          3       100     64     40          1.3',
      'two  2026-01-01  12        1       2          3       100     64     40          1.3',
    ])
    expect(JSON.parse(await run('usage', '--json'))).toMatchObject([
      { key_id: 'one', errors: 1, cancelled: 2 },
      { key_id: 'two', errors: 1, cancelled: 2 },
    ])
  })

  it('asks the server of DESCRIBE_URL with the key of DESCRIBE_API_KEY', async () => {
    const { run, seen } = setUp({ DESCRIBE_URL: 'https://edge.example', DESCRIBE_API_KEY: 'k' })
    await run('list')
    expect(seen).toEqual([{ url: 'https://edge.example/admin/keys?limit=1000', key: 'k' }])
  })

  it.each([
    [{ DESCRIBE_URL: 'edge.example' }, 'DESCRIBE_URL'],
    [{ STATE_DIR: 'no/such/folder' }, 'DESCRIBE_API_KEY'],
  ])('says which setting is missing or wrong: %j', async (environment, name) => {
    const { run } = setUp(environment)
    await expect(run('list')).rejects.toThrow(name)
  })
})
