import { readdirSync } from 'node:fs'
import { constants, setPriority } from 'node:os'

/** A core that is shared with others of normal priority is theirs for nine tenths. */
const lowered = constants.priority.PRIORITY_BELOW_NORMAL

/**
 * Gives everything else precedence over a process of ours. Where that is not possible, it goes on as before; one that is
 * gone does not matter.
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

/** On Linux each thread has a priority of its own, which those it starts later take over. */
function threadsOf(pid: number): readonly number[] {
  if (process.platform !== 'linux') return [pid]
  try {
    return readdirSync(`/proc/${pid}/task`).map(Number)
  } catch {
    return []
  }
}
