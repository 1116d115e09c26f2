import { describe, expect, it } from 'vitest'
import { createRandom } from '../../engine/sampling/random.ts'
import {
  blocksFor,
  clearBit,
  excludeFrom,
  hasBit,
  idAt,
  isDense,
  positionOf,
  setBit,
  wordsFor,
} from './bits.ts'
import { packRow } from './kernel/pack-row.ts'

const size = 1_000

/** Sets of ids: none, all, every other word, and random ones. */
const sets: readonly (readonly [string, (id: number) => boolean])[] = [
  ['one', (id) => id === 517],
  ['all', () => true],
  ['whole words', (id) => (id >> 5) % 2 === 0],
  ['signs of words', (id) => id % 32 === 31],
  ['few at random', sparse(0.02)],
  ['many at random', sparse(0.97)],
]

function sparse(share: number): (id: number) => boolean {
  const random = createRandom(1)
  const chosen = Array.from({ length: size }, () => random() < share)
  return (id) => chosen[id]!
}

describe('a set of bits', () => {
  it.each(sets)('packs a row for %s, and knows ids and places', (_, has) => {
    const bits = new Int32Array(wordsFor(size))
    const ids = Array.from({ length: size }, (__, id) => id).filter(has)
    for (const id of ids) setBit(bits, id)
    const row = Float32Array.from({ length: size }, (__, id) => id / 8)
    const ends = new Int32Array(1)
    const count = packRow(row, bits, ends)
    expect([...ends]).toEqual([count])
    expect([...row.subarray(0, count)]).toEqual(ids.map((id) => id / 8))
    expect(ids.map((___, place) => idAt(bits, place))).toEqual(ids)
    expect(ids.map((id) => positionOf(bits, id))).toEqual([...ids.keys()])
  })

  it('packs rows that take several blocks', () => {
    const many = 450_000
    const bits = new Int32Array(wordsFor(many))
    const random = createRandom(2)
    const ids = Array.from({ length: many }, (_, id) => id).filter(() => random() < 0.3)
    for (const id of ids) setBit(bits, id)
    const row = Float32Array.from({ length: many }, (_, id) => id)
    const ends = new Int32Array(blocksFor(bits.length))
    const count = packRow(row, bits, ends)
    expect(count).toBe(ids.length)
    for (let place = 0; place < count; place += 997) {
      expect(idAt(bits, place, ends)).toBe(ids[place])
    }
    expect(() => idAt(bits, count, ends)).toThrow(RangeError)
    expect(ids.findIndex((id, place) => row[place] !== id)).toBe(-1)
  })

  it.each(sets)('excludes what is not in %s from a row', (_, has) => {
    const bits = new Int32Array(wordsFor(size))
    for (let id = 0; id < size; id++) if (has(id)) setBit(bits, id)
    const row = new Float32Array(size)
    excludeFrom(row, bits)
    expect([...row.keys()].filter((id) => row[id] === 0)).toEqual([...row.keys()].filter(has))
    expect(row.every(Number.isFinite)).toBe(true)
  })

  it('is dense when a quarter of its words are full', () => {
    const bits = new Int32Array(1_024).fill(-1, 0, 256)
    expect(isDense(bits)).toBe(true)
    for (let id = 0; id < 4_096; id += 8) clearBit(bits, id)
    expect(isDense(bits)).toBe(false)
  })

  it('has no place for more than it holds', () => {
    const bits = new Int32Array(2)
    setBit(bits, 40)
    expect(() => idAt(bits, 1)).toThrow(RangeError)
  })

  it('forgets a bit', () => {
    const bits = new Int32Array(1)
    setBit(bits, 31)
    clearBit(bits, 31)
    expect(hasBit(bits, 31)).toBe(false)
  })
})
