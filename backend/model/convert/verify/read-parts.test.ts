import { describe, expect, it } from 'vitest'
import { digestPartBytes } from '../../../graph/weights-file.ts'
import { digestsRead } from './read-parts.ts'

const part = (offset: number, bytes: number) => ({ offset, bytes, sha256: '0'.repeat(64) })
const [small, large] = [4096, 2 * digestPartBytes + 5]
const decoder = {
  bytes: 2 * small + large,
  parts: [
    part(0, small),
    part(small, digestPartBytes),
    part(small + digestPartBytes, digestPartBytes),
    part(small + 2 * digestPartBytes, 5),
    part(small + large, small),
  ],
}
const embeddings = { bytes: small, parts: [part(0, small)] }

describe('digestsRead()', () => {
  it('has all parts of the tensors that are read, and no others', () => {
    const read = { decoder: [{ offset: small, byteLength: large }] }
    expect(digestsRead({ decoder, embeddings }, read)).toEqual({
      decoder: { bytes: decoder.bytes, parts: decoder.parts.slice(1, 4) },
    })
  })

  it('has files that are read whole', () => {
    const read = { decoder: [], embeddings: 'all' } as const
    expect(digestsRead({ decoder, embeddings }, read)).toEqual({
      decoder: { bytes: decoder.bytes, parts: [] },
      embeddings,
    })
  })
})
