import { InvalidArgumentError } from 'commander'
import { daySeconds } from '../shared/time/day.ts'

const units = { s: 1, m: 60, h: 3_600, d: daySeconds } as const

/** `90s`, `30m`, `24h` or `7d` in seconds. @throws {InvalidArgumentError} for anything else */
export function parseDuration(text: string): number {
  const match = /^(\d{1,9})([smhd])$/.exec(text)
  if (match === null)
    throw new InvalidArgumentError('expected a duration such as 90s, 30m, 24h or 7d')
  return Number(match[1]) * units[match[2] as keyof typeof units]
}

/** When something ends: a duration from now, or a date or time in ISO 8601. @returns ISO 8601, UTC */
export function parseEnd(text: string, now: number): string {
  const isDuration = /^\d+[smhd]$/.test(text)
  const time = isDuration ? now + parseDuration(text) * 1_000 : parseTime(text)
  // ISO 8601 years have four digits unless both sides agree on more.
  if (time <= lastTime) return new Date(time).toISOString()
  const message =
    'expected a duration such as 30d, a date such as 2027-01-31 or a time with its zone'
  throw new InvalidArgumentError(message)
}

const lastTime = Date.parse('9999-12-31T23:59:59Z')

/** Milliseconds since 1970, or NaN. `Date.parse` alone accepts February 31 as March 3. */
function parseTime(text: string): number {
  const match = /^(\d{4}-\d{2}-\d{2})(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2}))?$/.exec(
    text,
  )
  const day = Date.parse(match?.[1] ?? '')
  const isReal = !Number.isNaN(day) && new Date(day).toISOString().startsWith(match![1]!)
  return isReal ? Date.parse(text) : NaN
}

/** A whole number of at least 1: a limit of 0 would make a key unusable. */
export function parseLimit(text: string): number {
  const count = parseCount(text)
  if (count > 0) return count
  throw new InvalidArgumentError('expected at least 1: with 0 no call would ever be admitted')
}

/** A whole number of at least 0. */
export function parseCount(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('expected a whole number')
}
