/**
 * Kills a process that leads a group, and everything it started. A group that has ended is fine.
 * @param leader undefined for a process that could not be started
 */
export function killGroup(leader: number | undefined): void {
  if (leader === undefined) return
  try {
    process.kill(-leader, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
