import { describe, expect, it } from 'vitest'
import { leastBytes, mostOnCard, shareOf, type CardDemand } from './place-layers.ts'

/** About the real model's: a dense layer and 26 with experts, the head and the vision tower. */
const demand: CardDemand = {
  layerBytes: [0.13e9, ...Array<number>(26).fill(0.69e9)],
  otherBytes: 0.9e9,
  cacheBytesPerToken: 1152,
  contextTokens: 131_072,
  slots: 4,
  kvTokens: undefined,
}
const all = 27
const usual = 4 * 8192

describe('how many layers are on the card', () => {
  it('is all of them where they fit, with a smaller cache if need be', () => {
    expect(mostOnCard(demand, 40e9)).toEqual({ layers: all, cacheTokens: usual })
    expect(mostOnCard(demand, Infinity)).toEqual({ layers: all, cacheTokens: usual })
    const least = leastBytes(demand, all)
    expect(mostOnCard(demand, least)).toEqual({ layers: all, cacheTokens: 1024 })
    expect(mostOnCard(demand, least - 1)).toEqual({ layers: 24, cacheTokens: usual })
  })

  it('is as many as fit beside head, vision, the usual cache and a gigabyte', () => {
    const fitting = (layers: number) => 1e9 + 0.9e9 + layers * (0.69e9 + usual * 1152)
    for (const layers of [1, 9, 18, 23]) {
      expect(mostOnCard(demand, fitting(layers) + 1)).toEqual({ layers, cacheTokens: usual })
      expect(mostOnCard(demand, fitting(layers + 1) - 1)?.layers).toBe(layers)
    }
  })

  it('is one with a smaller cache before it is none', () => {
    const least = leastBytes(demand, 1)
    expect(mostOnCard(demand, least)).toEqual({ layers: 1, cacheTokens: 1024 })
    expect(mostOnCard(demand, least - 1)).toBeUndefined()
    expect(mostOnCard(demand, 0)).toBeUndefined()
  })

  it('counts the last ones, whatever their sizes', () => {
    const uneven = { ...demand, layerBytes: [9e9, 1e9, 2e9], kvTokens: 1000, cacheBytesPerToken: 1 }
    expect(mostOnCard(uneven, 3.9e9 + 1000)?.layers).toBe(1)
    expect(mostOnCard(uneven, 4.9e9 + 2000)?.layers).toBe(2)
    expect(mostOnCard(uneven, 4.9e9 + 1999)?.layers).toBe(1)
    expect(mostOnCard(uneven, 13.9e9 + 3000)?.layers).toBe(3)
  })

  it('leaves room for the cache that is set', () => {
    const large = { ...demand, kvTokens: 1_000_000 }
    expect(mostOnCard(large, 21e9)!.layers).toBeLessThan(mostOnCard(demand, 21e9)!.layers)
    expect(mostOnCard(large, 21e9)?.cacheTokens).toBe(1_000_000)
    const contexts = mostOnCard({ ...demand, kvTokens: 0 }, 100e9)
    expect(contexts).toEqual({ layers: all, cacheTokens: 4 * 131_072 })
    const none = { ...demand, layerBytes: [1e9] }
    expect(mostOnCard(none, 2e9)).toBeUndefined()
  })

  it('never takes more than is free, nor fewer than would fit', () => {
    const bytes = (layers: number, tokens: number) =>
      leastBytes({ ...demand, kvTokens: tokens }, layers)
    const least = leastBytes(demand, 1)
    for (let free = least; free < leastBytes(demand, all); free += 0.173e9) {
      const { layers, cacheTokens } = mostOnCard(demand, free)!
      expect(bytes(layers, cacheTokens)).toBeLessThanOrEqual(free)
      expect(bytes(layers + 1, usual)).toBeGreaterThan(free)
    }
  })
})

describe('layers that are counted out', () => {
  it('get as much cache as they leave room for', () => {
    expect(shareOf(demand, 18, Infinity)).toEqual({ layers: 18, cacheTokens: usual })
    const free = leastBytes({ ...demand, kvTokens: 5000 }, 18)
    expect(shareOf(demand, 18, free)).toEqual({ layers: 18, cacheTokens: 5000 })
    expect(shareOf(demand, 18, leastBytes(demand, 18) - 1)).toBeUndefined()
    expect(shareOf({ ...demand, kvTokens: 6000 }, 18, free)).toBeUndefined()
  })
})
