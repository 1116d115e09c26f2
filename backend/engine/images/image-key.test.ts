import { describe, expect, it } from 'vitest'
import { imageKey } from './image-key.ts'

describe('imageKey()', () => {
  it('differs with content, grid and tenant', () => {
    const patches = new Uint8Array(96)
    const keys = [
      imageKey('a', { patches, gridHw: [2, 4] }),
      imageKey('a', { patches, gridHw: [4, 2] }),
      imageKey('b', { patches, gridHw: [2, 4] }),
      imageKey('a', { patches: patches.map((_, at) => at), gridHw: [2, 4] }),
    ]
    expect(new Set(keys).size).toBe(4)
    expect(imageKey('a', { patches: patches.slice(), gridHw: [2, 4] })).toBe(keys[0])
  })
})
