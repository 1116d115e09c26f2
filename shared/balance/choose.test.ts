import { describe, expect, it } from 'vitest'
import { chooseServer, type Candidate } from './choose.ts'

function backend(id: string, parts: Partial<Candidate> = {}): Candidate {
  return { id, available: true, outstanding: 0, share: 1, ...parts }
}

const chosen = (candidates: Candidate[], affinity?: string, random = 0) =>
  chooseServer(candidates, affinity, random)?.id

describe('chooseServer() without affinity', () => {
  it('takes the one with the least outstanding work', () => {
    expect(chosen([backend('a', { outstanding: 2 }), backend('b', { outstanding: 1 })])).toBe('b')
  })

  it('leaves ties to chance', () => {
    const three = [backend('a'), backend('b'), backend('c')]
    expect([0, 0.34, 0.99].map((random) => chosen(three, undefined, random))).toEqual([
      'a',
      'b',
      'c',
    ])
  })

  it('gives a backend in slow start its share only', () => {
    const cold = backend('cold', { share: 0.1 })
    expect(chosen([cold, backend('warm', { outstanding: 8 })])).toBe('warm')
    expect(chosen([cold, backend('warm', { outstanding: 10 })])).toBe('cold')
  })

  it('passes over those that are not available, unless there is no other', () => {
    const down = backend('down', { available: false })
    expect(chosen([down, backend('up', { outstanding: 9 })])).toBe('up')
    expect(chosen([down])).toBe('down')
  })

  it('prefers one that is silent to one that is certainly away', () => {
    const away = backend('away', { available: false })
    const silent = backend('silent', { available: false, silent: true, outstanding: 9 })
    expect(chosen([away, silent])).toBe('silent')
    expect(chosen([away, silent, backend('up', { outstanding: 99 })])).toBe('up')
  })

  it('finds none among none', () => {
    expect(chooseServer([], undefined, 0)).toBeUndefined()
  })
})

describe('chooseServer() with affinity', () => {
  const four = ['a', 'b', 'c', 'd'].map((id) => backend(id))
  const texts = Array.from({ length: 400 }, (_, index) => `text:${index}`)

  it('sends equal texts to one backend, and all texts to all backends', () => {
    const homes = texts.map((text) => chosen(four, text))
    expect(texts.map((text) => chosen(four.toReversed(), text, 0.9))).toEqual(homes)
    for (const { id } of four) {
      const part = homes.filter((home) => home === id).length
      expect(part).toBeGreaterThan(60)
      expect(part).toBeLessThan(140)
    }
  })

  it('moves only the texts of a backend that is gone', () => {
    const without = four.map((one) => ({ ...one, available: one.id !== 'b' }))
    const moved = texts.filter((text) => chosen(without, text) !== chosen(four, text))
    expect(moved).toEqual(texts.filter((text) => chosen(four, text) === 'b'))
  })

  it('goes elsewhere rather than load one far over the average', () => {
    const load = new Map(four.map(({ id }) => [id, 0]))
    for (let request = 0; request < 100; request += 1) {
      const now = four.map(({ id }) => backend(id, { outstanding: load.get(id) ?? 0 }))
      const id = chosen(now, 'the same picture for all')!
      load.set(id, load.get(id)! + 1)
    }
    expect(Math.max(...load.values())).toBeLessThanOrEqual(Math.ceil(1.5 * 25))
    expect(Math.max(...load.values())).toBeGreaterThan(30)
  })
})
