import { readFileSync } from 'node:fs'

/** Bytes of a page in /proc: 4 KiB on the machines this runs on, x64 and arm64 alike as Linux distributions build them. */
const pageBytes = 4096

/** Bytes of memory that processes hold. One that has ended holds none, and without Linux's /proc none is known. */
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
