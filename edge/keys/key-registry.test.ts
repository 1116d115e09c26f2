import { describe, expect, it } from 'vitest'
import { testSqlite } from '../../test/support/edges/test-keys.ts'
import { KeyRegistry } from './key-registry.ts'
import type { NewKey } from './key-store.ts'

const newKey = (id: string): NewKey => ({
  id,
  hash: `hash of ${id}`,
  note: '',
  scopes: ['text'],
  limits: {},
  expiresAt: null,
})

function setUp() {
  const sql = testSqlite()
  const clock = { ms: 1_000 }
  const registry = new KeyRegistry(sql, () => clock.ms)
  return { sql, clock, registry }
}

describe('KeyRegistry', () => {
  it('keeps keys and its check secret when opened again', () => {
    const { sql, registry } = setUp()
    const record = registry.create(newKey('a'))
    const again = new KeyRegistry(sql, () => 0)
    expect(again.get('a')).toEqual(record)
    expect(again.checkSecret()).toBe(registry.checkSecret())
    expect(again.checkSecret()).toHaveLength(43)
  })

  it('lists page by page in order of creation', () => {
    const { registry } = setUp()
    for (const id of ['c', 'a', 'b']) registry.create(newKey(id))
    expect(registry.list(2)?.map(({ id }) => id)).toEqual(['c', 'a'])
    expect(registry.list(2, 'a')?.map(({ id }) => id)).toEqual(['b'])
    expect(registry.list(2, 'b')).toEqual([])
    registry.remove('a')
    expect(registry.list(2, 'a')).toBeUndefined()
  })

  it('refuses a second key with the same id, and keeps the first as it was', () => {
    const { registry } = setUp()
    const first = registry.create(newKey('a'))
    expect(() => registry.create({ ...newKey('a'), note: 'second' })).toThrow('UNIQUE')
    expect(registry.get('a')).toEqual(first)
    expect(registry.sync(0, 'a').version).toBe(first.version)
  })

  it('changes only what is given', () => {
    const { registry } = setUp()
    const first = registry.create(newKey('a'))
    const changed = registry.update('a', { note: 'for the shop', expiresAt: 5 })
    expect(changed).toEqual({ ...first, note: 'for the shop', expiresAt: 5, version: 2 })
  })

  it('rotates no key that has ended', () => {
    const { clock, registry } = setUp()
    registry.create({ ...newKey('a'), expiresAt: 2_000 })
    const rotated = registry.rotate('a', 'new', 0)
    expect(rotated?.hash).toBe('new')
    clock.ms = 2_000
    expect(registry.rotate('a', 'newer', 0)).toEqual(rotated)
    registry.update('a', { expiresAt: null })
    const revoked = registry.revoke('a')
    expect(registry.rotate('a', 'newer', 0)).toEqual(revoked)
  })

  it('revokes once; a second time changes nothing', () => {
    const { clock, registry } = setUp()
    registry.create(newKey('a'))
    const revoked = registry.revoke('a')
    expect(revoked?.revokedAt).toBe(1_000)
    clock.ms = 2_000
    expect(registry.revoke('a')).toEqual(revoked)
  })

  it('knows nothing of ids it does not have', () => {
    const { registry } = setUp()
    expect(registry.get('a')).toBeUndefined()
    expect(registry.update('a', { note: '' })).toBeUndefined()
    expect(registry.revoke('a')).toBeUndefined()
    expect(registry.rotate('a', 'hash', 0)).toBeUndefined()
    expect(registry.remove('a')).toBeUndefined()
    expect(registry.sync(0, 'a')).toMatchObject({ version: 0, changed: [], record: undefined })
  })

  it('reports what changed since, whatever the change was', () => {
    const { registry } = setUp()
    for (const id of ['a', 'b', 'c', 'd']) registry.create(newKey(id))
    const { version } = registry.sync(0, 'a')
    registry.update('a', { note: 'x' })
    registry.revoke('b')
    registry.rotate('c', 'hash', 0)
    const { version: removedAt } = registry.remove('d')!
    const reply = registry.sync(version, 'b')
    expect(reply.changed).toEqual([
      { id: 'a', version: 5 },
      { id: 'b', version: 6 },
      { id: 'c', version: 7 },
      { id: 'd', version: 8 },
    ])
    expect(reply.record?.revokedAt).toBe(1_000)
    expect(reply.version).toBe(removedAt)
    expect(registry.sync(reply.version, 'd')).toMatchObject({ changed: [], record: undefined })
  })

  it('reports the latest changes when asked from too far back, or from ahead of it', () => {
    const { registry } = setUp()
    registry.create(newKey('a'))
    for (let index = 0; index < 1_000; index += 1) registry.update('a', { note: String(index) })
    const changed = [{ id: 'a', version: 1_001 }]
    expect(registry.sync(1_000, 'a')).toMatchObject({ version: 1_001, since: 1_000, changed })
    expect(registry.sync(1, 'a')).toMatchObject({ since: 1, changed })
    expect(registry.sync(0, 'a')).toMatchObject({ since: 1, changed })
    expect(registry.sync(5_000, 'a')).toMatchObject({ version: 1_001, since: 1, changed })
  })
})
