import { readFileSync } from 'node:fs'

/** Bytes of a page in /proc: 4 KiB on the machines this runs on, x64 and arm64 alike as Linux distributions build them. */
const pageBytes = 4096

/** Memory that processes hold, in bytes. Those that are gone hold none; without Linux's /proc all are. */
export function residentBytes(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + residentPages(pid) * pageBytes, 0)
}

function residentPages(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/statm`, 'latin1').split(' ')[1] ?? 0)
  } catch {
    return 0
  }
}
