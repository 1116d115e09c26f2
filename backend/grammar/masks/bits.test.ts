import { describe, expect, it } from 'vitest'
import { createRandom } from '../../engine/sampling/random.ts'
import { clearBit, hasBit, idAt, packRow, positionOf, setBit, wordsFor } from './bits.ts'

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
    const count = packRow(row, bits)
    expect([...row.subarray(0, count)]).toEqual(ids.map((id) => id / 8))
    expect(ids.map((___, place) => idAt(bits, place))).toEqual(ids)
    expect(ids.map((id) => positionOf(bits, id))).toEqual([...ids.keys()])
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
