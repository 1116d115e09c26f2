import { afterEach, describe, expect, it, vi } from 'vitest'
import { testSqlite } from '../../test/support/edges/test-keys.ts'
import { KeyRegistry } from './key-registry.ts'
import type { KeyCopy } from './key-copy.ts'
import type { SyncReply } from './key-store.ts'
import { SyncedKeySource } from './synced-key-source.ts'

afterEach(() => vi.useRealTimers())

/** One isolate and the authority; the test controls the network between them. */
function setUp(options: { maxStaleMs?: number; graceMs?: number } = {}) {
  const clock = { ms: 1_000_000 }
  const registry = new KeyRegistry(testSqlite(), () => clock.ms)
  const network = { down: false, questions: 0, hold: undefined as Promise<void> | undefined }
  /** Requests from isolates that looked for a copy and found none. */
  const lacking: string[] = []
  const copies = { of: new Map<string, KeyCopy>(), hold: undefined as Promise<void> | undefined }
  const sync = async (version: number, id: string, lacksCopy = false): Promise<SyncReply> => {
    network.questions += 1
    if (lacksCopy) lacking.push(id)
    if (network.down) throw new Error('Network connection lost')
    const reply = registry.sync(version, id)
    await network.hold
    return reply
  }
  const readCopy = async (id: string) => {
    const copy = copies.of.get(id)
    await copies.hold
    return copy
  }
  const source = new SyncedKeySource(
    { sync },
    { maxStaleMs: 2_000, graceMs: 30_000, now: () => clock.ms, readCopy, ...options },
  )
  for (const id of ['a', 'b']) {
    registry.create({ id, hash: id, note: '', scopes: ['text'], limits: {}, expiresAt: null })
  }
  const copy = (id: string) => {
    copies.of.set(id, { record: registry.get(id)!, asOf: registry.sync(0, id).version })
  }
  return { clock, registry, network, source, copies, copy, lacking }
}

describe('SyncedKeySource', () => {
  it('asks once for a key, then not until its knowledge is too old', async () => {
    const { clock, network, source } = setUp()
    await source.find('a')
    clock.ms += 1_999
    expect((await source.find('a'))?.id).toBe('a')
    expect(network.questions).toBe(1)
    clock.ms += 1
    await source.find('a')
    expect(network.questions).toBe(2)
  })

  it('takes over a revocation made elsewhere within the time allowed', async () => {
    const { clock, registry, source } = setUp()
    await source.find('a')
    registry.revoke('a')
    clock.ms += 2_000
    expect((await source.find('a'))?.revokedAt).not.toBeNull()
  })

  it('takes it over for keys it did not ask about', async () => {
    const { clock, registry, network, source } = setUp()
    await source.find('a')
    await source.find('b')
    registry.revoke('a')
    clock.ms += 2_000
    await source.find('b')
    expect((await source.find('a'))?.revokedAt).not.toBeNull()
    expect(network.questions).toBe(4)
  })

  it('asks on every request at staleness 0', async () => {
    const { registry, network, source } = setUp({ maxStaleMs: 0 })
    await source.find('a')
    registry.revoke('a')
    expect((await source.find('a'))?.revokedAt).not.toBeNull()
    expect(network.questions).toBe(2)
  })

  it('remembers that there is no such key, until there is one', async () => {
    const { clock, registry, network, source } = setUp()
    expect(await source.find('c')).toBeUndefined()
    expect(await source.find('c')).toBeUndefined()
    expect(network.questions).toBe(1)
    registry.create({ id: 'c', hash: 'c', note: '', scopes: ['text'], limits: {}, expiresAt: null })
    clock.ms += 2_000
    expect((await source.find('c'))?.id).toBe('c')
  })

  it('counts the age from the question, not from the answer', async () => {
    const { clock, registry, network, source } = setUp()
    const gate = openable()
    network.hold = gate.opened
    const pending = source.find('a')
    registry.revoke('a')
    clock.ms += 1_500
    gate.open()
    expect((await pending)?.revokedAt).toBeNull()
    network.hold = undefined
    clock.ms += 500
    expect((await source.find('a'))?.revokedAt).not.toBeNull()
  })

  it('refuses at once what was revoked here, also when an older answer comes in later', async () => {
    const { registry, network, source } = setUp()
    await source.find('b')
    const gate = openable()
    network.hold = gate.opened
    const pending = source.find('a')
    const revoked = registry.revoke('a')!
    source.noteChange('a', revoked.version)
    gate.open()
    await pending
    network.hold = undefined
    expect((await source.find('a'))?.revokedAt).not.toBeNull()
  })

  it('goes on with what it knows while the authority is away, until the grace ends', async () => {
    const { clock, network, source } = setUp()
    await source.find('a')
    network.down = true
    clock.ms += 29_999
    expect((await source.find('a'))?.id).toBe('a')
    await expect(source.find('b')).rejects.toMatchObject({ code: 'keys_unavailable' })
    clock.ms += 1
    await expect(source.find('a')).rejects.toMatchObject({ code: 'keys_unavailable', status: 503 })
    network.down = false
    expect((await source.find('a'))?.id).toBe('a')
  })

  it('asks an authority that is away only now and then while it can do without', async () => {
    const { clock, network, source } = setUp()
    await source.find('a')
    network.down = true
    clock.ms += 5_000
    for (let index = 0; index < 10; index += 1) await source.find('a')
    expect(network.questions).toBe(2)
    clock.ms += 500
    await source.find('a')
    expect(network.questions).toBe(3)
  })

  it('has no grace at staleness 0', async () => {
    const { network, source } = setUp({ maxStaleMs: 0 })
    await source.find('a')
    network.down = true
    await expect(source.find('a')).rejects.toMatchObject({ code: 'keys_unavailable' })
  })

  it('does not wait for ever', async () => {
    vi.useFakeTimers()
    const { network, source } = setUp()
    network.hold = new Promise(() => undefined)
    const failure = source.find('a').catch((error: unknown) => error)
    await vi.advanceTimersByTimeAsync(2_000)
    expect(await failure).toMatchObject({ code: 'keys_unavailable' })
  })

  it('asks anew when the clock was set back', async () => {
    const { clock, registry, network, source } = setUp()
    await source.find('a')
    registry.revoke('a')
    clock.ms -= 3_600_000
    expect((await source.find('a'))?.revokedAt).not.toBeNull()
    await source.find('a')
    expect(network.questions).toBe(2)
  })

  it('forgets everything when the store was set back', async () => {
    const { clock, source, network } = setUp()
    await source.find('a')
    const older = new KeyRegistry(testSqlite(), () => clock.ms)
    const broken = new SyncedKeySource(
      { sync: async (version, id) => (network.questions > 1 ? older.sync(version, id) : reply()) },
      { maxStaleMs: 2_000, graceMs: 0, now: () => clock.ms, readCopy: async () => undefined },
    )
    const record = await source.find('a')
    const reply = (): SyncReply => {
      network.questions += 1
      return { version: 9, since: 0, changed: [], checkSecret: 'x', record }
    }
    expect(await broken.find('a')).toBe(record)
    clock.ms += 2_000
    expect(await broken.find('a')).toBeUndefined()
  })

  it('knows the check secret after the first question', async () => {
    const { registry, network, source } = setUp()
    expect(await source.checkSecret('a')).toBe(registry.checkSecret())
    network.down = true
    expect(await source.checkSecret('b')).toBe(registry.checkSecret())
    expect(network.questions).toBe(1)
  })

  it('refuses what was revoked here when an answer from before begins anew', async () => {
    const { registry, network, source } = setUp()
    for (let index = 0; index < 1_001; index += 1) registry.update('b', { note: String(index) })
    const gate = openable()
    network.hold = gate.opened
    const pending = source.find('a')
    source.noteChange('a', registry.revoke('a')!.version)
    gate.open()
    await pending
    expect((await source.find('a'))?.revokedAt).not.toBeNull()
  })
})

describe('SyncedKeySource with copies', () => {
  it('takes a copy that is still true without asking, and remembers it', async () => {
    const { copies, copy, network, source } = setUp()
    copy('b')
    await source.find('a')
    expect((await source.find('b'))?.id).toBe('b')
    copies.of.clear()
    expect((await source.find('b'))?.id).toBe('b')
    expect(network.questions).toBe(1)
  })

  it('asks, and says what is missing, when there is no copy: a new key works at once', async () => {
    const { lacking, registry, source } = setUp()
    await source.find('a')
    registry.create({ id: 'c', hash: 'c', note: '', scopes: ['text'], limits: {}, expiresAt: null })
    expect((await source.find('c'))?.id).toBe('c')
    expect(lacking).toEqual(['c'])
  })

  it('does not look for copies when it has to ask anyway', async () => {
    const { copies, copy, lacking, network, source } = setUp()
    copy('a')
    copies.hold = new Promise(() => undefined)
    await source.find('a')
    expect([network.questions, lacking]).toEqual([1, []])
  })

  it('never takes a copy at staleness 0', async () => {
    const { copy, network, source } = setUp({ maxStaleMs: 0 })
    copy('a')
    copy('b')
    for (const id of ['a', 'b', 'a']) await source.find(id)
    expect(network.questions).toBe(3)
  })

  it.each<[string, (registry: KeyRegistry) => unknown]>([
    ['revoked', (registry) => registry.revoke('b')],
    ['changed', (registry) => registry.update('b', { scopes: ['image'] })],
    ['rotated', (registry) => registry.rotate('b', 'new', 0)],
    ['removed', (registry) => registry.remove('b')],
  ])('does not take a copy from before the key was %s, from the next answer on', async (_, end) => {
    const { clock, copy, network, registry, source } = setUp()
    copy('b')
    await source.find('a')
    end(registry)
    clock.ms += 2_000
    await source.find('a')
    expect(await source.find('b')).toEqual(registry.get('b'))
    expect(network.questions).toBe(3)
  })

  it('does not take an old copy in an isolate that never heard of the change', async () => {
    const { copy, registry, source } = setUp()
    copy('b')
    registry.revoke('b')
    for (let index = 0; index < 1_001; index += 1) registry.update('a', { note: String(index) })
    await source.find('a')
    expect((await source.find('b'))?.revokedAt).not.toBeNull()
  })

  it('does not take a copy from before a change made here', async () => {
    const { copy, registry, source } = setUp()
    copy('b')
    await source.find('a')
    source.noteChange('b', registry.revoke('b')!.version)
    expect((await source.find('b'))?.revokedAt).not.toBeNull()
  })

  it('judges a copy that comes late by what is known by then', async () => {
    const { clock, copies, copy, registry, source } = setUp()
    copy('b')
    await source.find('a')
    const gate = openable()
    copies.hold = gate.opened
    const pending = source.find('b')
    registry.revoke('b')
    clock.ms += 2_000
    gate.open()
    expect((await pending)?.revokedAt).not.toBeNull()
  })

  it('goes on with copies while the authority is away, until the grace ends', async () => {
    const { clock, copy, network, source } = setUp()
    copy('b')
    await source.find('a')
    network.down = true
    clock.ms += 29_999
    expect((await source.find('b'))?.id).toBe('b')
    clock.ms += 1
    await expect(source.find('b')).rejects.toMatchObject({ code: 'keys_unavailable' })
  })

  it('takes no copy before the authority has answered once', async () => {
    const { copy, network, source } = setUp()
    copy('a')
    network.down = true
    await expect(source.find('a')).rejects.toMatchObject({ code: 'keys_unavailable' })
  })
})

function openable() {
  let open = (): void => undefined
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open: () => open() }
}
