import { describe, expect, it } from 'vitest'
import { testKeys } from '../../test/support/edges/test-keys.ts'
import { createApiKeys } from './api-keys.ts'
import { localKeySource } from './key-source.ts'
import { hashKey, makeKey } from './key-format.ts'
import type { NewKey } from './key-store.ts'

const day = 86_400_000

function setUp() {
  const clock = { ms: Date.UTC(2026, 0, 1) }
  const { keys, keyStore } = testKeys('root-key', clock)
  const make = async (parts: Partial<NewKey> = {}) => {
    const { id, text, hash } = await keys.issue()
    keyStore.create({ id, hash, note: '', scopes: ['text'], limits: {}, expiresAt: null, ...parts })
    return { id, text }
  }
  return { clock, keys, keyStore, make }
}

/** Every lookup fails, and is counted. */
function brokenSource(checkSecret?: string) {
  const seen = { lookups: 0 }
  const fail = () => {
    seen.lookups += 1
    return Promise.reject(new Error('the store is gone'))
  }
  const source = {
    checkSecret: checkSecret === undefined ? fail : async () => checkSecret,
    find: fail,
    noteChange: () => undefined,
  }
  return { seen, keys: createApiKeys({ rootKey: 'root-key', source, wallClock: () => 0 }) }
}

describe('createApiKeys()', () => {
  it('lets the root key do everything, without asking any store', async () => {
    const { keys, seen } = brokenSource()
    expect(await keys.verify('root-key')).toEqual({
      key: { id: 'default', scopes: ['text', 'image', 'image_url', 'admin'], limits: {} },
    })
    expect(seen.lookups).toBe(0)
  })

  it.each([
    '',
    'root-ke',
    'root-key2',
    'dsk_',
    `dsk_${'a'.repeat(12)}_x_y`,
    '\u{1F511}',
    '../../etc',
  ])('refuses %j without asking any store', async (garbage) => {
    const { keys, seen } = brokenSource()
    expect(await keys.verify(garbage)).toEqual({ refused: 'unknown' })
    expect(seen.lookups).toBe(0)
  })

  it('says so when its own store cannot be read, and lets the root key pass', async () => {
    const registry = {
      checkSecret: () => 'the real secret',
      get() {
        throw new Error('keys.db was removed while in use')
      },
    }
    const source = localKeySource(registry)
    const keys = createApiKeys({ rootKey: 'root-key', source, wallClock: () => 0 })
    const { id, text } = await makeKey('the real secret')
    await expect(keys.verify(text)).rejects.toMatchObject({ code: 'keys_unavailable', status: 503 })
    await expect(keys.isRevoked(id)).rejects.toMatchObject({ code: 'keys_unavailable' })
    expect(await keys.verify('root-key')).toMatchObject({ key: { id: 'default' } })
  })

  it('refuses a key nobody here made without looking it up', async () => {
    const { keys, seen } = brokenSource('the real secret')
    const { text } = await makeKey('a guess')
    expect(await keys.verify(text)).toEqual({ refused: 'unknown' })
    expect(seen.lookups).toBe(0)
  })

  it('says whose key it is, what it may do and what its limits are', async () => {
    const { keys, make } = setUp()
    const { id, text } = await make({ scopes: ['image'], limits: { imagesPerDay: 3 } })
    expect(await keys.verify(text)).toEqual({
      key: { id, scopes: ['image'], limits: { imagesPerDay: 3 } },
    })
  })

  it('refuses a key that was made and never stored', async () => {
    const { keys } = setUp()
    const { text } = await keys.issue()
    expect(await keys.verify(text)).toEqual({ refused: 'unknown' })
  })

  it('refuses another secret for the same id', async () => {
    const { keys, make } = setUp()
    const { id } = await make()
    const { text } = await keys.issue(id)
    expect(await keys.verify(text)).toEqual({ refused: 'unknown' })
  })

  it('ends a key at its expiry, and follows a clock that jumps', async () => {
    const { clock, keys, make } = setUp()
    const expiresAt = clock.ms + day
    const { text } = await make({ expiresAt })
    clock.ms = expiresAt - 1
    expect(await keys.verify(text)).toHaveProperty('key')
    clock.ms = expiresAt
    expect(await keys.verify(text)).toEqual({ refused: 'expired' })
    clock.ms = expiresAt - day
    expect(await keys.verify(text)).toHaveProperty('key')
  })

  it('takes old and new secret until the grace ends, then only the new one', async () => {
    const { clock, keys, keyStore, make } = setUp()
    const { id, text: old } = await make()
    const { text, hash } = await keys.issue(id)
    keyStore.rotate(id, hash, day)
    clock.ms += day - 1
    expect(await keys.verify(old)).toHaveProperty('key.id', id)
    expect(await keys.verify(text)).toHaveProperty('key.id', id)
    clock.ms += 1
    expect(await keys.verify(old)).toEqual({ refused: 'rotated' })
    expect(await keys.verify(text)).toHaveProperty('key.id', id)
  })

  it('takes no old secret after a rotation without grace, nor one before the last', async () => {
    const { keys, keyStore, make } = setUp()
    const { id, text: first } = await make()
    const second = await keys.issue(id)
    keyStore.rotate(id, second.hash, day)
    const third = await keys.issue(id)
    keyStore.rotate(id, third.hash, day)
    expect(await keys.verify(first)).toEqual({ refused: 'unknown' })
    const fourth = await keys.issue(id)
    keyStore.rotate(id, fourth.hash, 0)
    expect(await keys.verify(third.text)).toEqual({ refused: 'unknown' })
    expect(await keys.verify(fourth.text)).toHaveProperty('key')
  })

  it('refuses a revoked key, also by the secret before a rotation, and a removed one', async () => {
    const { keys, keyStore, make } = setUp()
    const { id, text } = await make()
    expect(await keys.isRevoked(id)).toBe(false)
    keyStore.revoke(id)
    expect(await keys.verify(text)).toEqual({ refused: 'revoked' })
    expect(await keys.isRevoked(id)).toBe(true)
    keyStore.remove(id)
    expect(await keys.verify(text)).toEqual({ refused: 'unknown' })
    expect(await keys.isRevoked(id)).toBe(true)
    expect(await keys.isRevoked('default')).toBe(false)

    const rotated = await make()
    keyStore.rotate(rotated.id, (await keys.issue(rotated.id)).hash, day)
    keyStore.revoke(rotated.id)
    expect(await keys.verify(rotated.text)).toEqual({ refused: 'revoked' })
  })

  it('does the same work for a wrong key wherever it is wrong', async () => {
    const { keyStore, make } = setUp()
    const { id, text } = await make()
    const done: string[] = []
    const keys = createApiKeys({
      rootKey: 'root-key',
      wallClock: () => 0,
      source: {
        checkSecret: async () => (done.push('checkSecret'), keyStore.checkSecret()),
        find: async (key) => (done.push('find'), keyStore.get(key)),
        noteChange: () => undefined,
      },
      hash: async (each) => (done.push(`hash of ${each.length}`), hashKey(each)),
    })
    const workFor = async (presented: string) => {
      done.length = 0
      expect(await keys.verify(presented)).toEqual({ refused: 'unknown' })
      return done.join()
    }
    // The root key is hashed only once.
    await keys.verify('')
    const secretAt = text.indexOf('_', text.indexOf('_') + 1) + 1
    const wrongAt = (at: number) =>
      text.slice(0, at) + (text[at] === '7' ? '8' : '7') + text.slice(at + 1)
    const places = [secretAt, secretAt + 1, secretAt + 20, text.length - 9, text.length - 1]
    for (const known of ['before the right one', 'after it']) {
      const work = new Set<string>()
      for (const at of places.filter((each) => text[each] !== '_'))
        work.add(await workFor(wrongAt(at)))
      expect([known, work.size]).toEqual([known, 1])
      expect(await keys.verify(text)).toMatchObject({ key: { id } })
    }
    // Issued here but never stored: only its hash is compared with the record.
    const others = await Promise.all(Array.from({ length: 5 }, () => keys.issue(id)))
    const work = new Set<string>()
    for (const other of others) work.add(await workFor(other.text))
    expect(work.size).toBe(1)
  })
})
