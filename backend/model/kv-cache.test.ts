import { describe, expect, it } from 'vitest'
import { KvCache } from './kv-cache.ts'
import type { SlotId } from './model.ts'

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

  it('forks a slot: the same first rows, then each goes its own way', () => {
    const cache = new KvCache(2, 2, 1)
    const row = (value: number) => (layer: number) => Float32Array.of(value + layer / 10)
    const source = cache.open()
    for (const value of [1, 2, 3]) cache.append(source, 1, row(value))
    const fork = cache.fork(source, 2)
    cache.append(fork, 1, row(8))
    cache.append(source, 1, row(4))
    const rows = (slot: SlotId) => [0, 1].map((layer) => [...cache.rowsAt(slot, layer)])
    expect(rows(fork)).toEqual([row(1), row(2), row(8)].reduce(joined, [[], []]))
    expect(rows(source)).toEqual([row(1), row(2), row(3), row(4)].reduce(joined, [[], []]))
    expect(() => cache.fork(source, 1)).toThrow('all 2 slots are open')

    function joined(layers: number[][], rowOf: (layer: number) => Float32Array): number[][] {
      return layers.map((values, layer) => [...values, ...rowOf(layer)])
    }
  })

  it('truncates a slot, and appends behind what is left', () => {
    const cache = new KvCache(1, 1, 1)
    const slot = cache.open()
    for (const value of [1, 2, 3]) cache.append(slot, 1, () => Float32Array.of(value))
    cache.truncate(slot, 1)
    cache.append(slot, 1, () => Float32Array.of(9))
    expect([...cache.rowsAt(slot, 0)]).toEqual([1, 9])
    expect(() => cache.truncate(slot, 3)).toThrow(RangeError)
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
