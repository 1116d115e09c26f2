import { describe, expect, it } from 'vitest'
import type { ImageFeatures } from '../../model/model.ts'
import { ImageCache } from './image-cache.ts'

const valueOf = (features: ImageFeatures | undefined) => (features as Float32Array | undefined)?.[0]
const features = (count: number, value = 1) => new Float32Array(count).fill(value)

describe('ImageCache', () => {
  it('evicts the image used longest ago when it is full', () => {
    const cache = new ImageCache(100)
    cache.set('a', features(10, 1))
    cache.set('b', features(10, 2))
    cache.get('a')
    cache.set('c', features(10, 3))
    expect(cache.bytes).toBe(80)
    expect([valueOf(cache.get('a')), cache.get('b'), valueOf(cache.get('c'))]).toEqual([
      1,
      undefined,
      3,
    ])
  })

  it('does not keep what is larger than the cache, nor anything at 0', () => {
    const cache = new ImageCache(100)
    cache.set('a', features(10))
    cache.set('b', features(26))
    expect([cache.bytes, cache.get('b')]).toEqual([40, undefined])
    const none = new ImageCache(0)
    none.set('a', features(1))
    expect([none.bytes, none.get('a')]).toEqual([0, undefined])
  })

  it('counts an image that is set again once', () => {
    const cache = new ImageCache(100)
    cache.set('a', features(10))
    cache.set('a', features(12))
    expect(cache.bytes).toBe(48)
  })
})
