import { readdirSync } from 'node:fs'
import { constants, setPriority } from 'node:os'

/** Processes of normal priority get nine tenths of a core that they share with it. */
const lowered = constants.priority.PRIORITY_BELOW_NORMAL

/**
 * Gives everything else precedence over a process of ours. If that is not possible, it continues as before; a process
 * that is gone does not matter.
 */
export function lowerPriority(pid: number): void {
  for (const thread of threadsOf(pid)) {
    try {
      setPriority(thread, lowered)
    } catch {
      continue
    }
  }
}

/** On Linux each thread has its own priority, which threads that it starts later inherit. */
function threadsOf(pid: number): readonly number[] {
  if (process.platform !== 'linux') return [pid]
  try {
    return readdirSync(`/proc/${pid}/task`).map(Number)
  } catch {
    return []
  }
}
