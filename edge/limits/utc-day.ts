import { dayMs } from '../../shared/time/day.ts'

/** A day in Coordinated Universal Time, such as `2026-11-22`. As texts they sort in order of time. */
export type UtcDay = string

export function utcDayOf(ms: number): UtcDay {
  return new Date(ms).toISOString().slice(0, 10)
}

/** Milliseconds until the next day begins; never 0. UTC days are all of equal length. */
export function msUntilNextDay(nowMs: number): number {
  return dayMs - (nowMs % dayMs)
}
