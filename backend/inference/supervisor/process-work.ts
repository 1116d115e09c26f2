import { readFileSync } from 'node:fs'

/** Positions in /proc/<pid>/stat after the command's name (proc_pid_stat(5)): majflt, utime and stime. */
const workFields = [9, 11, 12] as const

/**
 * How much a process has worked so far: ticks of processor time, and pages it had to read from the disk. Grows while
 * it computes or loads, and stands still while it is stopped or waits.
 * @returns undefined without Linux's /proc, or when the process is gone
 */
export function workOf(pid: number): number | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return workFields.reduce((sum, position) => sum + Number(fields[position]), 0)
  } catch {
    return undefined
  }
}
