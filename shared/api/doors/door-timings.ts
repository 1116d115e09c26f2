import type { Ending, Timings } from '../events.ts'

/** Timings for APIs that have no reason for ending by time: there it stands beside them. */
export function doorTimings(timings: Timings, endings: readonly Ending[]) {
  const isLate = endings.some(({ reason }) => reason === 'timeout')
  return isLate ? { ...timings, ended_by: 'timeout' } : timings
}
