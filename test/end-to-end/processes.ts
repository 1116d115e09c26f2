import { readdirSync, readFileSync } from 'node:fs'

/** A process of the product under test, read from /proc. */
interface ProcessInfo {
  readonly pid: number
  readonly parent: number
  readonly command: string
}

/** All processes started by `pid`, and their descendants. */
export function descendantsOf(pid: number): ProcessInfo[] {
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => readProcess(Number(name)))
  const found: ProcessInfo[] = []
  let parents = new Set([pid])
  while (parents.size > 0) {
    const children = all.filter(({ parent }) => parents.has(parent))
    found.push(...children)
    parents = new Set(children.map((child) => child.pid))
  }
  return found
}

/** True while the process runs; one that ended but was not yet reaped by its parent counts as gone. */
export function isRunning({ pid, command }: ProcessInfo): boolean {
  return readProcess(pid).some((now) => now.command === command)
}

/** How many files and sockets it has open; 0 once it has ended. */
export function openFilesOf({ pid }: ProcessInfo): number {
  try {
    return readdirSync(`/proc/${pid}/fd`).length
  } catch {
    return 0
  }
}

function readProcess(pid: number): ProcessInfo[] {
  try {
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim()
    // The command's name, in parentheses, may itself contain spaces and parentheses.
    const [state, parent] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ')
    return state === 'Z' ? [] : [{ pid, parent: Number(parent), command }]
  } catch {
    // It ended while being inspected.
    return []
  }
}
