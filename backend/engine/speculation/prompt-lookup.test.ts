import { describe, expect, it } from 'vitest'
import { createRandom } from '../sampling/random.ts'
import { PromptLookup } from './prompt-lookup.ts'

function lookupOf(...ids: number[]): PromptLookup {
  const lookup = new PromptLookup()
  lookup.add(ids)
  return lookup
}

/** Where the text went on after the last occurrence of its last tokens, the longer run first; by a plain search. */
function searched(ids: readonly number[], most: number): number[] {
  for (const run of [3, 2]) {
    for (let end = ids.length - 1; end >= run; end--) {
      const isSame = Array.from({ length: run }, (_, i) => i + 1).every(
        (back) => ids[end - back] === ids[ids.length - back],
      )
      if (!isSame) continue
      const period = ids.length - end
      return Array.from({ length: most }, (_, i) => ids[end + (i % period)]!)
    }
  }
  return []
}

describe('PromptLookup', () => {
  it('continues as the text did where its last tokens came before', () => {
    expect([...lookupOf(1, 2, 3, 4, 5, 9, 2, 3).next(3)]).toEqual([4, 5, 9])
  })

  it('takes the latest occurrence, but a longer one before a later one', () => {
    expect([...lookupOf(1, 2, 5, 1, 2, 6, 1, 2).next(1)]).toEqual([6])
    expect([...lookupOf(7, 1, 2, 5, 8, 1, 2, 6, 7, 1, 2).next(1)]).toEqual([5])
  })

  it('goes round in a text that repeats itself', () => {
    expect([...lookupOf(1, 2, 1, 2).next(5)]).toEqual([1, 2, 1, 2, 1])
    expect([...lookupOf(3, 3, 3).next(4)]).toEqual([3, 3, 3, 3])
  })

  it.each([[[]], [[1]], [[1, 2]], [[1, 2, 3, 1]]])('has nothing to say after %j', (ids) => {
    expect(lookupOf(...ids).next(4)).toHaveLength(0)
  })

  it.each([0, -1])('gives nothing when %d are wanted', (most) => {
    expect(lookupOf(1, 2, 1, 2).next(most)).toHaveLength(0)
  })

  it.each([2, 5, 40, 160_000])('says what a search says, of %d words', (words) => {
    const random = createRandom(words)
    const lookup = new PromptLookup()
    const ids: number[] = []
    let [known, missed] = [0, 0]
    while (ids.length < 600) {
      const from = Math.floor(random() * (ids.length - 6))
      const copies = from > 0 && random() < 0.3
      const next = copies ? ids.slice(from, from + 6) : [Math.floor(random() * words)]
      ids.push(...next)
      lookup.add(next)
      const expected = searched(ids, 4)
      if (expected.length > 0) known += 1
      if (lookup.next(4).join() !== expected.join()) missed += 1
    }
    expect(lookup.length).toBe(ids.length)
    expect(known).toBeGreaterThan(50)
    // Of very many runs with the same hash, only some are compared.
    expect(missed / known).toBeLessThan(0.05)
  })

  it('finds what stood at the beginning of a long text', () => {
    const lookup = lookupOf(11, 12, 13, 14, 15)
    lookup.add(Array.from({ length: 100_000 }, (_, i) => 20 + i))
    lookup.add([11, 12, 13])
    expect([...lookup.next(2)]).toEqual([14, 15])
  })
})
