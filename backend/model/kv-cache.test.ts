import { describe, expect, it } from 'vitest'
import { KvCache } from './kv-cache.ts'

const width = 3

describe('KvCache', () => {
  it('returns every appended row, also after growing', () => {
    const cache = new KvCache(2, 2, width)
    const slot = cache.open()
    const expected: number[] = []
    for (let token = 0; token < 1000; token++) {
      const row = [token, token + 0.5, -token]
      expected.push(...row)
      cache.append(slot, 1, (layer) => Float32Array.from(row, (value) => value * (layer + 1)))
    }
    expect(cache.length(slot)).toBe(1000)
    expect([...cache.rowsAt(slot, 0)]).toEqual(expected)
    expect([...cache.rowsAt(slot, 1)]).toEqual(expected.map((value) => value * 2))
  })

  it('keeps slots apart and gives a closed one away empty', () => {
    const cache = new KvCache(2, 1, width)
    const [a, b] = [cache.open(), cache.open()]
    cache.append(a, 1, () => Float32Array.of(1, 2, 3))
    expect(cache.lengthAt(b)).toBe(0)
    expect(() => cache.open()).toThrow('all 2 slots are open')
    cache.close(a)
    expect(cache.lengthAt(a)).toBe(0)
    expect(cache.rowsAt(a, 0).length).toBe(0)
    expect(cache.length(cache.open())).toBe(0)
  })

  it('refuses a slot that is not open', () => {
    const cache = new KvCache(1, 1, width)
    const slot = cache.open()
    cache.close(slot)
    expect(() => cache.close(slot)).toThrow(RangeError)
    expect(() => cache.length(slot)).toThrow(RangeError)
    expect(() => cache.append(slot, 1, () => new Float32Array(width))).toThrow(RangeError)
  })
})
