import { describe, expect, it } from 'vitest'
import { patchify } from './patchify.ts'

/** A 5 x 3 image whose red is the column, green the row, blue always 9. */
const image = {
  width: 5,
  height: 3,
  rgb: Uint8Array.from({ length: 45 }, (_, i) => {
    const pixel = Math.floor(i / 3)
    return [pixel % 5, Math.floor(pixel / 5), 9][i % 3]!
  }),
}

describe('patchify()', () => {
  it('orders patch row, patch column, channel, row, column, and leaves the padding black', () => {
    const { patches, gridHw } = patchify(image, { left: 0, top: 0, gridHw: [2, 3] }, 2)
    expect(gridHw).toEqual([2, 3])
    const perPatch = Array.from({ length: 6 }, (_, i) => [...patches.subarray(i * 12, i * 12 + 12)])
    expect(perPatch).toEqual([
      [0, 1, 0, 1, 0, 0, 1, 1, 9, 9, 9, 9],
      [2, 3, 2, 3, 0, 0, 1, 1, 9, 9, 9, 9],
      [4, 0, 4, 0, 0, 0, 1, 0, 9, 0, 9, 0],
      [0, 1, 0, 0, 2, 2, 0, 0, 9, 9, 0, 0],
      [2, 3, 0, 0, 2, 2, 0, 0, 9, 9, 0, 0],
      [4, 0, 0, 0, 2, 0, 0, 0, 9, 0, 0, 0],
    ])
  })

  it('cuts out of the middle', () => {
    const { patches } = patchify(image, { left: 2, top: 1, gridHw: [1, 1] }, 2)
    expect([...patches]).toEqual([2, 3, 2, 3, 1, 1, 2, 2, 9, 9, 9, 9])
  })
})
