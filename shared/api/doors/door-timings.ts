import type { Ending, Timings } from '../events.ts'

/** Timings for APIs that have no finish reason for running out of time: there it is added to them. */
export function doorTimings(timings: Timings, endings: readonly Ending[]) {
  const isLate = endings.some(({ reason }) => reason === 'timeout')
  return isLate ? { ...timings, ended_by: 'timeout' } : timings
}
