/**
 * Whether the process with this id ended before this one started. Our own id means one before us that had it, as the
 * first process of every container does. To be asked before this process does anything under its id.
 */
export function isEarlierProcess(id: string): boolean {
  if (Number(id) === process.pid) return true
  try {
    process.kill(Number(id), 0)
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH'
  }
}
