/**
 * Numbers within bounds, as a DFA over their digits. At most 15 digits, which doubles can distinguish, and no
 * exponents. For each number of digits before the point, the allowed numbers are a range of integer multiples of the
 * last digit's place value; a prefix stays alive as long as the block of numbers it may still become overlaps one of
 * these ranges.
 */
import type { NumberTables } from '../grammar.ts'

export interface NumberBounds {
  readonly whole: boolean
  readonly minimum?: number | undefined
  readonly maximum?: number | undefined
  readonly exclusiveMinimum?: number | undefined
  readonly exclusiveMaximum?: number | undefined
}

/** Doubles can distinguish all numbers with this many digits. */
export const maxDigits = 15

const [minus, point, symbols] = [10, 11, 12]

/** How many of the numbers that a prefix may become are within a range. */
const [none, some, every] = [0, 1, 2]

const powers = Array.from({ length: maxDigits + 1 }, (_, exponent) => 10 ** exponent)

/** Allowed multiples of 10^-places, both included; `low` > `high` when there are none. */
interface Range {
  readonly low: number
  readonly high: number
}

/** A prefix of a number. */
interface Beginning {
  readonly sign: '' | '-'
  /** Digits before the point; 0 at the very beginning. */
  readonly digits: number
  /** Digits after the point; undefined when there is no point. */
  readonly fraction: number | undefined
  /** All digits as one number. */
  readonly value: number
}

/** Whether any number is within the bounds, regardless of its digits. */
export function holdsNumbers(bounds: NumberBounds): boolean {
  const { whole, minimum = -Infinity, maximum = Infinity } = bounds
  const { exclusiveMinimum = -Infinity, exclusiveMaximum = Infinity } = bounds
  const low = Math.max(minimum, exclusiveMinimum)
  const isLowExcluded = exclusiveMinimum >= minimum
  const least = whole ? (isLowExcluded ? Math.floor(low) + 1 : Math.ceil(low)) : low
  if (least > maximum || least > exclusiveMaximum) return false
  if (least === exclusiveMaximum) return false
  return whole || !isLowExcluded || (low < maximum && low < exclusiveMaximum)
}

/** @returns undefined when no number of at most 15 digits is within the bounds */
export function numberTables(bounds: NumberBounds): NumberTables | undefined {
  return new NumberBuilder(bounds).build()
}

class NumberBuilder {
  readonly #bounds: NumberBounds
  /** By sign and number of digits before the point. */
  readonly #ranges: Readonly<Record<'' | '-', readonly Range[]>>
  readonly #states = new Map<string | number, number>()
  readonly #beginnings: Beginning[] = []

  constructor(bounds: NumberBounds) {
    this.#bounds = bounds
    const all = (sign: '' | '-') =>
      Array.from({ length: maxDigits + 1 }, (_, digits) => this.#rangeOf(sign, digits))
    this.#ranges = { '': all(''), '-': all('-') }
  }

  build(): NumberTables | undefined {
    const start: Beginning = { sign: '', digits: 0, fraction: undefined, value: 0 }
    if (!this.#lives('') && !this.#lives('-')) return undefined
    this.#beginnings.push(start)
    const table: number[] = []
    // The list grows while it is read.
    for (const beginning of this.#beginnings) {
      for (let symbol = 0; symbol < symbols; symbol++) {
        const next = this.#next(beginning, symbol)
        table.push(next === undefined ? -1 : this.#stateOf(next))
      }
    }
    const accepting = Uint8Array.from(this.#beginnings, (one) => (this.#isAllowed(one) ? 1 : 0))
    return {
      kind: 'number',
      table: Int16Array.from(table),
      accepting,
      least: leastOf(table, accepting),
    }
  }

  #next({ sign, digits, fraction, value }: Beginning, symbol: number): Beginning | undefined {
    if (symbol === minus) {
      return digits === 0 && sign === '' ? { sign: '-', digits, fraction, value } : undefined
    }
    if (symbol === point) {
      const mayHavePoint = digits > 0 && fraction === undefined && !this.#bounds.whole
      return mayHavePoint ? { sign, digits, fraction: 0, value } : undefined
    }
    if (digits + (fraction ?? 0) === maxDigits) return undefined
    if (fraction !== undefined) {
      return { sign, digits, fraction: fraction + 1, value: value * 10 + symbol }
    }
    // A leading zero must be the only digit.
    if (digits > 0 && value === 0) return undefined
    return { sign, digits: digits + 1, fraction, value: value * 10 + symbol }
  }

  #lives(sign: '' | '-'): boolean {
    return this.#ranges[sign].some(({ low, high }) => low <= high)
  }

  #isAllowed({ sign, digits, fraction, value }: Beginning): boolean {
    if (digits === 0 || fraction === 0) return false
    const multiple = value * powers[this.#places(digits) - (fraction ?? 0)]!
    const { low, high } = this.#ranges[sign][digits]!
    return low <= multiple && multiple <= high
  }

  /** Digits after the point. */
  #places(digits: number): number {
    return this.#bounds.whole ? 0 : maxDigits - digits
  }

  #rangeOf(sign: '' | '-', digits: number): Range {
    if (digits === 0) return { low: 1, high: 0 }
    const places = this.#places(digits)
    const least = digits === 1 ? 0 : 10 ** (digits - 1 + places)
    const most = 10 ** (digits + places) - 1
    // Minus zero is excluded.
    const from = sign === '-' ? Math.max(1, least) : least
    const numberAt = (multiple: number) => Number(`${sign}${multiple}e-${places}`)
    // The further from zero, the larger the number, or the smaller.
    const isFarEnough = sign === '' ? this.#isAbove : this.#isBelow
    const isNearEnough = sign === '' ? this.#isBelow : this.#isAbove
    const low = firstWith(from, most + 1, (multiple) => isFarEnough(numberAt(multiple)))
    const beyond = firstWith(from, most + 1, (multiple) => !isNearEnough(numberAt(multiple)))
    return { low, high: beyond - 1 }
  }

  readonly #isAbove = (value: number): boolean => {
    const { minimum = -Infinity, exclusiveMinimum = -Infinity } = this.#bounds
    return value >= minimum && value > exclusiveMinimum
  }

  readonly #isBelow = (value: number): boolean => {
    const { maximum = Infinity, exclusiveMaximum = Infinity } = this.#bounds
    return value <= maximum && value < exclusiveMaximum
  }

  /** Prefixes that can continue in the same ways are one state. @returns -1 for those that cannot be completed */
  #stateOf(beginning: Beginning): number {
    const name = this.#nameOf(beginning)
    if (name === undefined) return -1
    const known = this.#states.get(name)
    if (known !== undefined) return known
    const state = this.#beginnings.push(beginning) - 1
    this.#states.set(name, state)
    return state
  }

  /** Equal for prefixes that can continue in the same ways; undefined for those that cannot be completed. */
  #nameOf({ sign, digits, fraction, value }: Beginning): number | string | undefined {
    const isZero = fraction === undefined && digits > 0 && value === 0
    const longest = fraction === undefined && !isZero ? maxDigits : digits
    const ranges = this.#ranges[sign]
    let ways = 0
    let isPartial = false
    for (let length = Math.max(1, digits); length <= longest; length++) {
      const room = length - digits + this.#places(length) - (fraction ?? 0)
      const found = overlap(value, room, ranges[length]!)
      ways = 3 * ways + found
      isPartial ||= found === some
    }
    if (ways === 0 || (fraction === 0 && this.#places(digits) === 0)) return undefined
    if (isPartial) return `${sign}${digits}.${fraction ?? ''}:${value}`
    const place = 2 * (17 * digits + (fraction ?? 16)) + (isZero ? 1 : 0)
    return (sign === '' ? 1 : -1) * (ways * 2 * 17 * 17 + place)
  }
}

/** For digits that are followed by `room` more. */
function overlap(value: number, room: number, { low, high }: Range): number {
  const from = value * powers[room]!
  const to = (value + 1) * powers[room]! - 1
  if (low > high || from > high || to < low) return none
  return low <= from && to <= high ? every : some
}

/** @returns the first of [from, to) with a property that all later ones have too; `to` when there is none */
function firstWith(from: number, to: number, has: (value: number) => boolean): number {
  let [low, high] = [from, to]
  while (low < high) {
    const middle = low + Math.floor((high - low) / 2)
    if (has(middle)) high = middle
    else low = middle + 1
  }
  return low
}

/** Each state leads to later ones only. */
function leastOf(table: readonly number[], accepting: Uint8Array): Uint8Array {
  const least = accepting.map((accepts) => (accepts === 1 ? 0 : 255))
  for (let cell = table.length - 1; cell >= 0; cell--) {
    const target = table[cell]!
    const state = Math.floor(cell / symbols)
    if (target >= 0) least[state] = Math.min(least[state]!, least[target]! + 1)
  }
  return least
}
