import { describe, expect, it } from 'vitest'
import { FakeModel } from '../../../test/support/inference/fake-model.ts'
import { BlockChain, blockTokens } from './content-hash.ts'
import { PrefixCache } from './prefix-cache.ts'

const unlimited = 1e6

function setUp() {
  const model = new FakeModel({ slots: 1, contextTokens: 4096 })
  const cache = new PrefixCache(model)
  return { model, cache, store, found }

  /** Reads a text that begins with `first` and has so many blocks, and stores it. */
  async function store(first: number, blocks: number, maxTokens = unlimited): Promise<void> {
    const tokenIds = textOf(first, blocks)
    const slot = model.openSlot()
    await model.step([{ slot, tokenIds, features: [], sample: false }])
    cache.store(slot, keysOf(tokenIds), maxTokens)
    model.closeSlot(slot)
  }

  /** Blocks the cache has of such a text. */
  function found(first: number, blocks: number): number {
    const slot = model.openSlot()
    const keys = keysOf(textOf(first, blocks))
    const tokens = cache.tokensOf(keys)
    cache.restore(slot, keys.slice(0, tokens / blockTokens))
    expect(model.slotLength(slot)).toBe(tokens)
    model.closeSlot(slot)
    return tokens / blockTokens
  }
}

function textOf(first: number, blocks: number): Int32Array {
  return new Int32Array(blocks * blockTokens).fill(5).fill(first, 0, 1)
}

function keysOf(ids: Int32Array): readonly string[] {
  return new BlockChain('someone', [], []).keysOf(ids)
}

describe('PrefixCache', () => {
  it('finds the blocks two texts have in common', async () => {
    const { cache, store, found } = setUp()
    await store(1, 3)
    expect([found(1, 2), found(1, 3), found(1, 5), found(2, 3)]).toEqual([2, 3, 3, 0])
    await store(1, 5)
    expect(cache.tokens).toBe(5 * blockTokens)
  })

  it('stays within its limit: the text used longest ago goes, from its end on', async () => {
    const { cache, store, found } = setUp()
    const limit = 6 * blockTokens
    await store(1, 3, limit)
    await store(2, 3, limit)
    cache.touch(keysOf(textOf(1, 3)))
    await store(3, 2, limit)
    expect(cache.tokens).toBe(limit)
    expect([found(1, 3), found(2, 3), found(3, 2)]).toEqual([3, 1, 2])
  })

  it('keeps the head of a text that is larger than the limit', async () => {
    const { store, found } = setUp()
    await store(1, 2, 4 * blockTokens)
    await store(2, 9, 4 * blockTokens)
    expect([found(1, 2), found(2, 9)]).toEqual([0, 4])
  })

  it('keeps nothing when there is no room', async () => {
    const { cache, store } = setUp()
    await store(1, 3, blockTokens - 1)
    await store(1, 3, -5)
    expect(cache.tokens).toBe(0)
  })

  it('shrinks to nothing and gives all rows back', async () => {
    const { cache, model, store, found } = setUp()
    await store(1, 4)
    await store(2, 4)
    expect(model.keptTokens).toBe(8 * blockTokens)
    cache.shrink(5 * blockTokens)
    expect([found(1, 4), found(2, 4)]).toEqual([1, 4])
    cache.shrink(0)
    expect([cache.tokens, model.keptTokens]).toEqual([0, 0])
  })
})
