import { describe, expect, it } from 'vitest'
import { createRandom } from '../../engine/sampling/random.ts'
import { NumberText } from '../pieces/number-text.ts'
import { holdsNumbers, numberTables, type NumberBounds } from './number-range.ts'

/** Returns a function that says whether a text is a number within the bounds. */
function taker(bounds: NumberBounds): (text: string) => boolean {
  const piece = new NumberText(numberTables(bounds)!)
  return (text) => {
    let state = piece.start
    for (const byte of Buffer.from(text)) {
      state = piece.step(state, byte)
      if (state < 0) return false
    }
    return piece.isDone(state)
  }
}

function isWithin(value: number, bounds: NumberBounds): boolean {
  const { minimum = -Infinity, maximum = Infinity } = bounds
  const { exclusiveMinimum = -Infinity, exclusiveMaximum = Infinity } = bounds
  return (
    value >= minimum && value <= maximum && value > exclusiveMinimum && value < exclusiveMaximum
  )
}

const some: readonly NumberBounds[] = [
  { whole: true },
  { whole: true, minimum: -5, maximum: 127 },
  { whole: true, minimum: 99, maximum: 1001 },
  { whole: true, exclusiveMinimum: -1000.5, exclusiveMaximum: -7 },
  { whole: true, minimum: 0.5, maximum: 3.5 },
  { whole: true, minimum: 998 },
  { whole: false },
  { whole: false, minimum: -1.5, maximum: 2.25 },
  { whole: false, exclusiveMinimum: 0, exclusiveMaximum: 1 },
  { whole: false, maximum: -0.1 },
]

describe('numberTables()', () => {
  it.each(some)('takes the whole numbers within %o, and no others', (bounds) => {
    const takes = taker(bounds)
    for (let value = -1_100; value <= 1_100; value++) {
      expect([value, takes(String(value))]).toEqual([value, isWithin(value, bounds)])
    }
  })

  it.each(some.filter(({ whole }) => !whole))('takes the fractions within %o', (bounds) => {
    const takes = taker(bounds)
    for (let hundredths = -310; hundredths <= 310; hundredths++) {
      const text = (hundredths / 100).toFixed(2)
      const expected = isWithin(Number(text), bounds) && text !== '-0.00'
      expect([text, takes(text)]).toEqual([text, expected])
    }
  })

  it.each([
    '',
    '-',
    '01',
    '-01',
    '1.',
    '.5',
    '+1',
    '1e3',
    '00',
    '--1',
    '1.2.3',
    '-0',
    '1234567890123456',
  ])('does not take %s', (text) => {
    expect(taker({ whole: false })(text)).toBe(false)
  })

  it('distinguishes neighbours at the end of 15 digits', () => {
    const takes = taker({ whole: false, exclusiveMinimum: 0.1, exclusiveMaximum: 0.1000000000001 })
    expect(takes('0.1')).toBe(false)
    expect(takes('0.10000000000001')).toBe(true)
    expect(takes('0.1000000000001')).toBe(false)
  })

  it.each<NumberBounds>([
    { whole: true, minimum: 5, maximum: 3 },
    { whole: true, minimum: 0.2, maximum: 0.8 },
    { whole: false, exclusiveMinimum: 1, exclusiveMaximum: 1 },
    { whole: false, minimum: 1e16 },
    { whole: false, minimum: 0.123_456_789_012_345_68, maximum: 0.123_456_789_012_345_68 },
  ])('has nothing for %o', (bounds) => {
    expect(numberTables(bounds)).toBeUndefined()
  })

  it.each<[NumberBounds, boolean]>([
    [{ whole: true, minimum: 5, maximum: 3 }, false],
    [{ whole: true, minimum: 0.2, maximum: 0.8 }, false],
    [{ whole: true, exclusiveMinimum: 3, exclusiveMaximum: 4 }, false],
    [{ whole: true, exclusiveMinimum: 3, maximum: 4 }, true],
    [{ whole: true, minimum: 9_007_199_254_740_990 }, true],
    [{ whole: false, exclusiveMinimum: 1, exclusiveMaximum: 1 }, false],
    [{ whole: false, exclusiveMinimum: 1, maximum: 1 }, false],
    [{ whole: false, minimum: 1, exclusiveMaximum: 1 }, false],
    [{ whole: false, minimum: 1, maximum: 1 }, true],
    [{ whole: false, minimum: 1e20, maximum: 1e22 }, true],
    [{ whole: false }, true],
  ])('knows whether any number is within %o: %s', (bounds, holds) => {
    expect(holdsNumbers(bounds)).toBe(holds)
  })

  it('always comes to an end, within any bounds', () => {
    const random = createRandom(4)
    const decimal = () =>
      Number(((random() - 0.5) * 10 ** Math.floor(random() * 12)).toPrecision(4))
    for (let round = 0; round < 200; round++) {
      const [minimum, maximum] = [decimal(), decimal()].toSorted((a, b) => a - b) as [
        number,
        number,
      ]
      const bounds = { whole: random() < 0.5, minimum, maximum }
      const tables = numberTables(bounds)
      if (tables === undefined) continue
      const text = randomText(new NumberText(tables), random)
      expect([bounds, text, isWithin(Number(text), bounds)]).toEqual([bounds, text, true])
    }
  })
})

function randomText(piece: NumberText, random: () => number): string {
  let [text, state] = ['', piece.start]
  while (!piece.isDone(state) || (piece.goesOn(state) && random() < 0.7)) {
    const bytes = [...Buffer.from('0123456789-.')].filter((byte) => piece.step(state, byte) >= 0)
    const byte = bytes[Math.floor(random() * bytes.length)]!
    text += String.fromCharCode(byte)
    state = piece.step(state, byte)
  }
  return text
}
