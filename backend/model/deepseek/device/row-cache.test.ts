import { describe, expect, it } from 'vitest'
import { paddingRow, RowCache } from './row-cache.ts'

/** 16 rows for tokens, besides the padding row. */
const createCache = () => new RowCache({ slots: 4, rows: 17, maxTokens: 12 })

describe('rows of the cache', () => {
  it('belong to one token each, and are free again when their slot closes', () => {
    const cache = createCache()
    const [a, b] = [cache.open(), cache.open()]
    cache.extend(a, 5)
    cache.extend(b, 3)
    cache.extend(a, 2)
    expect([cache.length(a), cache.length(b), cache.freeRows]).toEqual([7, 3, 6])
    const rows = [...cache.table(a, 7), ...cache.table(b, 3)]
    expect(new Set(rows).size).toBe(10)
    expect(rows).not.toContain(paddingRow)
    cache.close(a)
    expect(cache.freeRows).toBe(13)
    expect(() => cache.length(a)).toThrow('not open')
  })

  it('are shared by a fork, and free only when nobody has them', () => {
    const cache = createCache()
    const source = cache.open()
    cache.extend(source, 6)
    const fork = cache.fork(source, 4)
    expect([...cache.table(fork, 4)]).toEqual([...cache.table(source, 4)])
    expect(cache.freeRows).toBe(10)
    cache.extend(fork, 1)
    cache.extend(source, 1)
    expect(cache.table(fork, 5)[4]).not.toBe(cache.table(source, 5)[4])
    cache.close(source)
    expect(cache.freeRows).toBe(11)
    cache.close(fork)
    expect(cache.freeRows).toBe(16)
  })

  it('outlive their slot when they are kept, and follow only their own position', () => {
    const cache = createCache()
    const first = cache.open()
    cache.extend(first, 8)
    const own = [...cache.table(first, 8)]
    const [start, rest] = [cache.keep(first, 0, 4), cache.keep(first, 4, 8)]
    cache.close(first)
    expect(cache.freeRows).toBe(8)
    const second = cache.open()
    expect(() => cache.restore(second, rest)).toThrow('cannot follow')
    cache.restore(second, start)
    cache.restore(second, rest)
    expect([...cache.table(second, 8)]).toEqual(own)
    cache.drop(start)
    cache.truncate(second, 2)
    expect([cache.length(second), cache.freeRows]).toEqual([2, 10])
    cache.drop(rest)
    cache.close(second)
    expect(cache.freeRows).toBe(16)
    expect(() => cache.drop(rest)).toThrow('not kept')
  })

  it('end, as do slots and a slot’s tokens', () => {
    const cache = createCache()
    const [a, b] = [cache.open(), cache.open()]
    expect(() => cache.extend(a, 13)).toThrow('at most 12')
    expect(cache.freeRows).toBe(16)
    cache.extend(a, 12)
    expect(() => cache.extend(b, 5)).toThrow('4 free rows')
    expect([cache.length(b), cache.freeRows]).toEqual([0, 4])
    cache.open()
    cache.open()
    expect(() => cache.open()).toThrow('all 4 slots')
    expect(() => cache.truncate(b, 1)).toThrow('fewer than 1')
    expect(() => cache.keep(a, 3, 3)).toThrow('no tokens 3 to 3')
  })
})
