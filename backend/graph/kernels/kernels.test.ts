import { describe, expect, it } from 'vitest'
import * as plain from '../../../test/support/model/plain-kernels.ts'
import { randomValues } from '../../../test/support/model/write-checkpoint.ts'
import { areFinite, lendFloats, quantizeRows, scanRows, widenBfloat16 } from './kernels.ts'

/** Weights of every magnitude that a float32 has, zeros of both signs among them. */
function weightsOf(count: number, seed: number): Float32Array {
  const [signed, sizes] = [randomValues(count, seed), randomValues(count, seed + 1)]
  return signed.map((value, i) =>
    i % 97 === 0 ? Math.sign(value) / -Infinity : value * 2 ** (30 * sizes[i]! - 30),
  )
}

/** The same with the values in memory of the module, as a conversion has them. */
function bothWays(values: Float32Array, use: (values: Float32Array) => void): void {
  use(values)
  const lent = lendFloats(values.length)
  lent.values.set(values)
  use(lent.values)
  lent.giveBack()
}

const sizes = [
  [1, 1, 32],
  [3, 5, 16],
  [7, 64, 32],
  [9, 100, 64],
  [4, 588, 32],
  [5, 1408, 64],
  [3, 4304, 4304],
  [300, 2048, 64],
] as const

describe('kernels', () => {
  it('widen every bfloat16 that there is', () => {
    const halves = Uint16Array.from({ length: 0x10000 }, (_, i) => i)
    const values = new Float32Array(halves.length)
    widenBfloat16(halves, values)
    // Compared as bits: a NaN is a pattern like any other.
    expect(new Uint32Array(values.buffer)).toEqual(
      new Uint32Array(plain.widenBfloat16(halves).buffer),
    )
  })

  it.each([0, 1, 7, 9, 300_001])('widen %i values', (count) => {
    const halves = Uint16Array.from({ length: count }, (_, i) => (i * 40_503) & 0x7f7f)
    const values = new Float32Array(count)
    widenBfloat16(halves, values)
    expect(values).toEqual(plain.widenBfloat16(halves))
  })

  it.each(sizes)(
    'quantise %i rows of %i in blocks of %i as the plain loop',
    (rows, width, block) => {
      const weights = weightsOf(rows * width, width)
      const expected = plain.quantizeRows(weights, width, block)
      const [values, scales] = [
        new Uint8Array(expected.values.length),
        new Float32Array(expected.scales.length),
      ]
      bothWays(weights, (given) => {
        values.fill(0)
        const isFinite = quantizeRows(given, { width, blockSize: block }, values, scales)
        expect(isFinite).toBe(true)
        expect(Buffer.compare(values, expected.values)).toBe(0)
        expect(scales).toEqual(expected.scales)
      })
    },
  )

  // The smallest have scales whose inverse is infinite in float32.
  it.each([1, 0.3, 1e-42])(
    'round halves of the level %d, or nearly so, as the plain loop',
    (level) => {
      const levels = (i: number) => (i % 64 === 0 ? 127 : (i % 254) - 126.5 + (i % 3) * 2 ** -20)
      const weights = Float32Array.from({ length: 255 * 64 }, (_, i) => levels(i) * level)
      const expected = plain.quantizeRows(weights, 64, 64)
      const [values, scales] = [new Uint8Array(weights.length), new Float32Array(255)]
      expect(quantizeRows(weights, { width: 64, blockSize: 64 }, values, scales)).toBe(true)
      expect(Buffer.compare(values, expected.values)).toBe(0)
    },
  )

  it.each(sizes)('scan %i rows of %i as the plain loop', (rows, width) => {
    const weights = weightsOf(rows * width, width)
    // A row of zeros has no output, and raises no column.
    weights.fill(0, 0, rows > 1 ? width : 0)
    const inputs = Float64Array.from(randomValues(width, 3))
    const expected = plain.scanRows(weights, inputs)
    bothWays(weights, (given) => {
      const [outputs, columns] = [new Float64Array(rows), new Float64Array(width)]
      scanRows(given, inputs, outputs, columns)
      expect(outputs).toEqual(expected.outputs)
      expect(columns).toEqual(expected.columns)
    })
  })

  it.each([NaN, -NaN, Infinity, -Infinity])('find %d, wherever it is', (bad) => {
    for (const at of [0, 3, 4, 18, 299_999]) {
      const weights = new Float32Array(300_000)
      expect(areFinite(weights)).toBe(true)
      weights[at] = bad
      expect(areFinite(weights)).toBe(false)
      const row = weights.subarray(at - (at % 20), at - (at % 20) + 20)
      const [values, scales] = [new Uint8Array(32), new Float32Array(2)]
      expect(quantizeRows(row, { width: 20, blockSize: 16 }, values, scales)).toBe(false)
    }
  })

  it('refuse a row that does not fit into their memory', () => {
    const weights = new Float32Array(300_000)
    const size = { width: weights.length, blockSize: 64 }
    const quantize = () => quantizeRows(weights, size, new Uint8Array(0), new Float32Array(0))
    expect(quantize).toThrow('does not fit')
  })

  it('lend each piece of memory to one at a time', () => {
    const all = Array.from({ length: 20 }, () => lendFloats(1000))
    all.forEach(({ values }, i) => values.fill(i))
    all.forEach(({ values }, i) => expect(new Set(values)).toEqual(new Set([i])))
    for (const each of all) each.giveBack()
    const again = lendFloats(1000)
    expect(all.some(({ values }) => values.buffer === again.values.buffer)).toBe(true)
    again.giveBack()
  })
})
