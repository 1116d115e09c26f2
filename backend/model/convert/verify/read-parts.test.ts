import { describe, expect, it } from 'vitest'
import { checksumPartBytes } from '../../../graph/weights-file.ts'
import { checksumsRead, readSideBySide } from './read-parts.ts'

const part = (offset: number, bytes: number) => ({ offset, bytes, checksum: '0'.repeat(32) })
const [small, large] = [4096, 2 * checksumPartBytes + 5]
const decoder = {
  bytes: 2 * small + large,
  parts: [
    part(0, small),
    part(small, checksumPartBytes),
    part(small + checksumPartBytes, checksumPartBytes),
    part(small + 2 * checksumPartBytes, 5),
    part(small + large, small),
  ],
}
const embeddings = { bytes: small, parts: [part(0, small)] }

describe('checksumsRead()', () => {
  it('has all parts of the tensors that are read, and no others', () => {
    const read = { decoder: [{ offset: small, byteLength: large }] }
    expect(checksumsRead({ decoder, embeddings }, read)).toEqual({
      decoder: { bytes: decoder.bytes, parts: decoder.parts.slice(1, 4) },
    })
  })

  it('has parts in the order in which tensors are read', () => {
    const read = {
      decoder: [
        { offset: small + large, byteLength: small },
        { offset: 0, byteLength: small },
      ],
    }
    expect(checksumsRead({ decoder, embeddings }, read)['decoder']?.parts).toEqual([
      decoder.parts[4],
      decoder.parts[0],
    ])
  })

  it('has files that are read whole', () => {
    const read = { decoder: [], embeddings: 'all' } as const
    expect(checksumsRead({ decoder, embeddings }, read)).toEqual({
      decoder: { bytes: decoder.bytes, parts: [] },
      embeddings,
    })
  })
})

describe('readSideBySide()', () => {
  it('takes from each list as much as it has read of all, in its order', () => {
    const list = (name: string, ...lengths: number[]) =>
      lengths.map((byteLength, offset) => ({ name, offset, byteLength }))
    const order = readSideBySide([list('a', 10, 10, 10, 10), list('b', 1, 9)])
    expect(order.map(({ name, offset }) => name + offset).join(' ')).toBe('b0 a0 a1 a2 a3 b1')
  })

  it('leaves one list as it is', () => {
    const places = [
      { offset: 5, byteLength: 1 },
      { offset: 0, byteLength: 0 },
      { offset: 9, byteLength: 7 },
    ]
    expect(readSideBySide([places])).toEqual(places)
    expect(readSideBySide([[], []])).toEqual([])
  })
})
