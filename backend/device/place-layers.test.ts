import { describe, expect, it } from 'vitest'
import { bufferBytes } from '../model/accelerator/buffer-sizes.ts'
import { leastBytes, mostOnCard, reservedBytes, shareOf, type CardDemand } from './place-layers.ts'

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
/** A layer's cache of 1,024 tokens and one row more takes a buffer of 2 MiB. */
const least = Math.floor(2 ** 21 / 1152) - 1

describe('how many layers are on the card', () => {
  it('is all of them where they fit, with a smaller cache if need be', () => {
    expect(mostOnCard(demand, 40e9)).toEqual({ layers: all, cacheTokens: usual })
    expect(mostOnCard(demand, Infinity)).toEqual({ layers: all, cacheTokens: usual })
    const free = leastBytes(demand, all)
    expect(mostOnCard(demand, free)).toEqual({ layers: all, cacheTokens: least })
    expect(mostOnCard(demand, free - 1)).toEqual({ layers: 24, cacheTokens: usual })
  })

  it('is all of the full model on cards of 24 GB and more', () => {
    // As `deviceNeeds` counts them: 20 GB in all.
    const full = { ...demand, layerBytes: [0.15e9, ...Array<number>(26).fill(0.727e9)] }
    expect(mostOnCard(full, 23.9e9)?.layers).toBe(all)
    expect(mostOnCard(full, 23.9e9)?.cacheTokens).toBeGreaterThan(20_000)
    expect(mostOnCard({ ...full, slots: 32 }, 145e9)).toEqual({
      layers: all,
      cacheTokens: 32 * 8192,
    })
  })

  it('is as many as fit beside head, vision, the usual cache and what is reserved', () => {
    const cache = bufferBytes((usual + 1) * 1152)
    const fitting = (layers: number) => reservedBytes + 0.9e9 + layers * (0.69e9 + cache)
    for (const layers of [1, 9, 18, 23]) {
      expect(mostOnCard(demand, fitting(layers) + 1)).toEqual({ layers, cacheTokens: usual })
      expect(mostOnCard(demand, fitting(layers + 1) - 1)?.layers).toBe(layers)
    }
  })

  it('is one with a smaller cache before it is none', () => {
    const free = leastBytes(demand, 1)
    expect(mostOnCard(demand, free)).toEqual({ layers: 1, cacheTokens: least })
    expect(mostOnCard(demand, free - 1)).toBeUndefined()
    expect(mostOnCard(demand, 0)).toBeUndefined()
  })

  it('counts the last ones, whatever their sizes', () => {
    const uneven = { ...demand, layerBytes: [9e9, 1e9, 2e9], kvTokens: 1000, cacheBytesPerToken: 1 }
    const free = (bytes: number) => reservedBytes + 0.9e9 + bytes
    expect(mostOnCard(uneven, free(2e9 + 2048))?.layers).toBe(1)
    expect(mostOnCard(uneven, free(3e9 + 4096))?.layers).toBe(2)
    expect(mostOnCard(uneven, free(3e9 + 4095))?.layers).toBe(1)
    expect(mostOnCard(uneven, free(12e9 + 6144))?.layers).toBe(3)
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
    for (let free = leastBytes(demand, 1); free < leastBytes(demand, all); free += 0.173e9) {
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
    const mostIn8MiB = Math.floor(2 ** 23 / 1152) - 1
    expect(shareOf(demand, 18, free)).toEqual({ layers: 18, cacheTokens: mostIn8MiB })
    expect(shareOf(demand, 18, leastBytes(demand, 18) - 1)).toBeUndefined()
    expect(shareOf({ ...demand, kvTokens: mostIn8MiB + 1 }, 18, free)).toBeUndefined()
  })
})
