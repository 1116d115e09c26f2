import { describe, expect, it } from 'vitest'
import { ChunkList } from './chunk-list.ts'

describe('ChunkList', () => {
  it.each([1, 7, 4_095, 4_096, 100_000])('joins what came in chunks of %i', (size) => {
    const bytes = Uint8Array.from({ length: 300_000 }, (_, at) => at % 251)
    const chunks = new ChunkList()
    for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size))
    expect(Buffer.compare(chunks.join(), bytes)).toBe(0)
  })

  it('keeps the order of small and large ones', () => {
    const chunks = new ChunkList()
    const sizes = [3, 5_000, 0, 4_090, 10, 1, 70_000, 2]
    sizes.forEach((size, index) => chunks.push(new Uint8Array(size).fill(index)))
    const expected = sizes.flatMap((size, index) => Array.from({ length: size }, () => index))
    expect(Buffer.compare(chunks.join(), Uint8Array.from(expected))).toBe(0)
  })

  it('copies small ones, whose memory their sender may use again', () => {
    const chunks = new ChunkList()
    const piece = Uint8Array.of(1, 2)
    chunks.push(piece)
    piece.fill(9)
    expect([...chunks.join()]).toEqual([1, 2])
  })

  it('is empty at first', () => {
    expect(new ChunkList().join()).toHaveLength(0)
  })
})
