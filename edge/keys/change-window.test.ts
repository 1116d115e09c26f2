import { describe, expect, it } from 'vitest'
import { ChangeWindow } from './change-window.ts'
import type { SyncReply } from './key-store.ts'

const reply = (since: number, version: number, changed: Record<string, number>): SyncReply => ({
  since,
  version,
  changed: Object.entries(changed).map(([id, changedAt]) => ({ id, version: changedAt })),
  checkSecret: '',
  record: undefined,
})

describe('ChangeWindow', () => {
  it('trusts nothing before the first answer, except that there is nothing', () => {
    const changes = new ChangeWindow()
    expect(changes.isCurrent('a', 1)).toBe(false)
    expect(changes.version).toBe(0)
  })

  it('trusts a version from the last change of the key to the latest one reported', () => {
    const changes = new ChangeWindow()
    expect(changes.learn(reply(100, 109, { a: 105 }), 0)).toBeUndefined()
    const trusted = (id: string) =>
      [99, 100, 104, 105, 109, 110].filter((version) => changes.isCurrent(id, version))
    expect(trusted('a')).toEqual([105, 109])
    // Its last change may have any version up to 100.
    expect(trusted('b')).toEqual([100, 104, 105, 109])
  })

  it('adds what is reported later, whatever the order of answers', () => {
    const changes = new ChangeWindow()
    changes.learn(reply(0, 5, { a: 5 }), 0)
    expect(changes.learn(reply(5, 8, { a: 8 }), 5)).toEqual(['a'])
    expect(changes.learn(reply(5, 6, { a: 6 }), 5)).toEqual(['a'])
    expect(changes.version).toBe(8)
    expect(changes.isCurrent('a', 7)).toBe(false)
    expect(changes.isCurrent('a', 8)).toBe(true)
    expect(changes.isCurrent('b', 3)).toBe(true)
  })

  it('forgets all when changes were left out between two answers', () => {
    const changes = new ChangeWindow()
    changes.learn(reply(0, 5, {}), 0)
    expect(changes.learn(reply(2_000, 3_000, { a: 2_500 }), 5)).toBeUndefined()
    expect(changes.isCurrent('b', 1_999)).toBe(false)
    expect(changes.isCurrent('b', 2_000)).toBe(true)
  })

  it('keeps a change made here when an older answer begins anew', () => {
    const changes = new ChangeWindow()
    changes.note('a', 3_001)
    changes.learn(reply(2_000, 3_000, {}), 0)
    expect(changes.isCurrent('a', 3_000)).toBe(false)
    expect(changes.isCurrent('b', 3_000)).toBe(true)
  })

  it('follows a store that was set back', () => {
    const changes = new ChangeWindow()
    changes.learn(reply(0, 9, { a: 9 }), 0)
    expect(changes.learn(reply(0, 5, { b: 5 }), 9)).toBeUndefined()
    expect(changes.version).toBe(5)
    expect(changes.isCurrent('a', 5)).toBe(true)
    expect(changes.isCurrent('a', 9)).toBe(false)
  })

  it('trusts less, not more, when it cannot remember all changes', () => {
    const changes = new ChangeWindow()
    changes.learn(reply(0, 3_000, {}), 0)
    for (let version = 1; version <= 2_001; version += 1) changes.note(`id${version}`, version)
    expect(changes.isCurrent('b', 0)).toBe(false)
    expect(changes.isCurrent('b', 1)).toBe(true)
    expect(changes.isCurrent('id1', 1)).toBe(true)
    expect(changes.isCurrent('id2', 1)).toBe(false)
  })
})
