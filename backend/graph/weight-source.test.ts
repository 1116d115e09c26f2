import { describe, expect, it } from 'vitest'
import { constantSource } from '../../test/support/model/constant-source.ts'
import { readAll, reshaped, sliceRows, stackRows, transposed } from './weight-source.ts'

/** [rows, columns] holding 0, 1, 2 ... plus `from`. */
const counting = (rows: number, columns: number, from = 0) =>
  constantSource(
    [rows, columns],
    Float32Array.from({ length: rows * columns }, (_, i) => from + i),
  )

describe('sliceRows()', () => {
  it('reads rows counted from the slice', async () => {
    const slice = sliceRows(counting(5, 2), 1, 3)
    expect(slice.dims).toEqual([3, 2])
    expect([...(await slice.readRows(1, 2))]).toEqual([4, 5, 6, 7])
  })

  it('refuses rows beyond the source', () => {
    expect(() => sliceRows(counting(5, 2), 3, 3)).toThrow(RangeError)
  })
})

describe('stackRows()', () => {
  it('reads across the seams', async () => {
    const stack = stackRows([counting(2, 2), counting(1, 2, 100), counting(2, 2, 200)])
    expect(stack.dims).toEqual([5, 2])
    expect([...(await stack.readRows(1, 3))]).toEqual([2, 3, 100, 101, 200, 201])
    expect([...(await readAll(stack))]).toEqual([0, 1, 2, 3, 100, 101, 200, 201, 202, 203])
  })

  it('refuses different widths', () => {
    expect(() => stackRows([counting(1, 2), counting(1, 3)])).toThrow(RangeError)
  })
})

describe('reshaped()', () => {
  it('reads the same values in other rows', async () => {
    const wide = reshaped(counting(6, 2), [2, 6])
    expect([...(await wide.readRows(1, 1))]).toEqual([6, 7, 8, 9, 10, 11])
    const narrow = reshaped(counting(2, 6), [4, 3])
    expect([...(await narrow.readRows(1, 2))]).toEqual([3, 4, 5, 6, 7, 8])
  })

  it('refuses another number of values', () => {
    expect(() => reshaped(counting(2, 3), [5])).toThrow(RangeError)
  })
})

describe('transposed()', () => {
  it('reads columns as rows', async () => {
    const turned = transposed(counting(2, 3))
    expect(turned.dims).toEqual([3, 2])
    expect([...(await turned.readRows(1, 2))]).toEqual([1, 4, 2, 5])
  })
})
