import { describe, expect, it } from 'vitest'
import { KvCache } from './kv-cache.ts'
import type { RowsId, SlotId } from '../model.ts'

const width = 3

function create(slots: number, layerCount: number, rowWidth = width): KvCache {
  return new KvCache({ slots, layerCount, width: rowWidth, maxTokens: 1000 })
}

/** Appends tokens [from, to) whose rows tell layer and position. */
function fill(cache: KvCache, slot: SlotId, from: number, to: number): void {
  cache.append(slot, to - from, (layer) => expectedRows(layer, from, to))
}

function expectedRows(layer: number, from: number, to: number): Float32Array {
  return Float32Array.from(
    { length: (to - from) * width },
    (_, i) => 1000 * layer + from + Math.floor(i / width) + (i % width) / 4,
  )
}

describe('KvCache', () => {
  it('returns every appended row, also after growing', () => {
    const cache = create(2, 2)
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
    const cache = create(2, 1)
    const [a, b] = [cache.open(), cache.open()]
    cache.append(a, 1, () => Float32Array.of(1, 2, 3))
    expect(cache.length(b)).toBe(0)
    expect(() => cache.open()).toThrow('All 2 slots are open')
    cache.close(a)
    expect(cache.rowsAt(a, 0).length).toBe(0)
    expect(cache.length(cache.open())).toBe(0)
  })

  it('forks a slot: the same first rows, then each goes its own way', () => {
    const cache = create(2, 2, 1)
    const row = (value: number) => (layer: number) => Float32Array.of(value + layer / 10)
    const source = cache.open()
    for (const value of [1, 2, 3]) cache.append(source, 1, row(value))
    const fork = cache.fork(source, 2)
    cache.append(fork, 1, row(8))
    cache.append(source, 1, row(4))
    const rows = (slot: SlotId) => [0, 1].map((layer) => [...cache.rowsAt(slot, layer)])
    expect(rows(fork)).toEqual([row(1), row(2), row(8)].reduce(joined, [[], []]))
    expect(rows(source)).toEqual([row(1), row(2), row(3), row(4)].reduce(joined, [[], []]))
    expect(() => cache.fork(source, 1)).toThrow('All 2 slots are open')

    function joined(layers: number[][], rowOf: (layer: number) => Float32Array): number[][] {
      return layers.map((values, layer) => [...values, ...rowOf(layer)])
    }
  })

  it('truncates a slot, and appends behind what is left', () => {
    const cache = create(1, 1, 1)
    const slot = cache.open()
    for (const value of [1, 2, 3]) cache.append(slot, 1, () => Float32Array.of(value))
    cache.truncate(slot, 1)
    cache.append(slot, 1, () => Float32Array.of(9))
    expect([...cache.rowsAt(slot, 0)]).toEqual([1, 9])
    expect(() => cache.truncate(slot, 3)).toThrow(RangeError)
  })

  it('refuses a slot that is not open', () => {
    const cache = create(1, 1)
    const slot = cache.open()
    cache.close(slot)
    expect(() => cache.close(slot)).toThrow(RangeError)
    expect(() => cache.length(slot)).toThrow(RangeError)
    expect(() => cache.append(slot, 1, () => new Float32Array(width))).toThrow(RangeError)
  })

  it('grows to the longest sequence, not beyond', () => {
    const cache = create(1, 1)
    const slot = cache.open()
    fill(cache, slot, 0, 999)
    fill(cache, slot, 999, 1000)
    expect(cache.rowsAt(slot, 0)).toEqual(expectedRows(0, 0, 1000))
    expect(() => fill(cache, slot, 1000, 1030)).toThrow(RangeError)
    expect(cache.length(slot)).toBe(1000)
  })

  it('restores kept rows into another slot, also when theirs is closed', () => {
    const cache = create(2, 3)
    const first = cache.open()
    fill(cache, first, 0, 70)
    const rows = [cache.keep(first, 0, 32), cache.keep(first, 32, 70)]
    cache.close(first)
    const second = cache.open()
    for (const id of rows) cache.restore(second, id)
    fill(cache, second, 70, 75)
    expect(cache.length(second)).toBe(75)
    for (const layer of [0, 1, 2]) {
      expect(cache.rowsAt(second, layer)).toEqual(expectedRows(layer, 0, 75))
    }
  })

  it('refuses rows where others stood before them, and rows that are not there', () => {
    const cache = create(1, 1)
    const slot = cache.open()
    fill(cache, slot, 0, 40)
    const rows = cache.keep(slot, 8, 16)
    expect(() => cache.restore(slot, rows)).toThrow('Rows of token 8 cannot follow 40 tokens')
    expect(() => cache.keep(slot, 8, 41)).toThrow(RangeError)
    expect(() => cache.keep(slot, 8, 8)).toThrow(RangeError)
    cache.drop(rows)
    expect(() => cache.drop(rows)).toThrow(RangeError)
    expect(() => cache.restore(slot, 99 as RowsId)).toThrow(RangeError)
  })

  it('gives the memory of dropped rows back at once', () => {
    const wide = new KvCache({ slots: 1, layerCount: 2, width: 4096, maxTokens: 1024 })
    const slot = wide.open()
    const filled = new Float32Array(1024 * 4096)
    wide.append(slot, 1024, () => filled)
    // Growth within one turn: the collector may free others' buffers in between, but never these.
    const growthOf = (keeps: number) => {
      const before = process.memoryUsage().arrayBuffers
      for (let i = 0; i < keeps; i++) wide.drop(wide.keep(slot, 0, 1024))
      return process.memoryUsage().arrayBuffers - before
    }
    const bytesOfOne = 2 * filled.byteLength
    expect(growthOf(8)).toBeLessThan(bytesOfOne)
    wide.release()
  })
})
