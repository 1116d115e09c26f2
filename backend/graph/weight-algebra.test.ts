import { describe, expect, it } from 'vitest'
import { constantSource } from '../../test/support/model/constant-source.ts'
import { matrixProduct, scaled, sideBySide, sliceColumns, zeros } from './weight-algebra.ts'
import { readAll, type WeightSource } from './weight-source.ts'

const matrix = (rows: number[][]) =>
  constantSource([rows.length, rows[0]!.length], Float32Array.from(rows.flat()))

/** Read whole, and row by row. */
async function valuesOf(source: WeightSource): Promise<number[][]> {
  const whole = [...(await readAll(source))]
  const width = source.dims[1]!
  const rows: number[][] = []
  for (let row = 0; row < source.dims[0]!; row++) rows.push([...(await source.readRows(row, 1))])
  expect(rows.flat()).toEqual(whole)
  expect(rows.every((row) => row.length === width)).toBe(true)
  return rows
}

describe('matrices computed from others', () => {
  const a = matrix([
    [1, 2],
    [3, 4],
    [5, 6],
  ])

  it('multiply', async () => {
    const b = matrix([
      [1, 0, -1],
      [10, 1, 2],
    ])
    expect(await valuesOf(matrixProduct(a, b))).toEqual([
      [21, 2, 3],
      [43, 4, 5],
      [65, 6, 7],
    ])
    expect(() => matrixProduct(b, b)).toThrow('3 columns times 2 rows')
  })

  it('stand side by side, scaled or empty', async () => {
    expect(await valuesOf(sideBySide([scaled(a, 2), zeros(3, 1), a]))).toEqual([
      [2, 4, 0, 1, 2],
      [6, 8, 0, 3, 4],
      [10, 12, 0, 5, 6],
    ])
    expect(() => sideBySide([a, zeros(2, 1)])).toThrow('differ')
  })

  it('lose columns', async () => {
    expect(await valuesOf(sliceColumns(a, 1, 1))).toEqual([[2], [4], [6]])
    expect(() => sliceColumns(a, 1, 2)).toThrow('columns 1..3 of 2')
  })
})
