import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

/** Resident memory of a process in bytes, as the kernel counts it. */
export function residentBytes(pid: number): number {
  const pages = Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1])
  return pages * pageBytes
}

/** The page size of Linux on every machine this runs on: x86-64 and, as commonly built, arm64. */
const pageBytes = 4_096

/** Number of open sockets of a process, listening ones included. */
export function openSockets(pid: number): number {
  const folder = `/proc/${pid}/fd`
  return readdirSync(folder).filter((descriptor) => isSocket(`${folder}/${descriptor}`)).length
}

function isSocket(path: string): boolean {
  try {
    return readlinkSync(path).startsWith('socket:')
  } catch {
    // It was closed while being inspected.
    return false
  }
}

/** The child of `pid` that runs `name`. @throws {Error} when there is none */
export function childRunning(pid: number, name: string): number {
  const child = readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .find((candidate) => parentOf(candidate) === pid && commandOf(candidate).includes(name))
  if (child === undefined) throw new Error(`Process ${pid} runs no ${name}`)
  return child
}

function parentOf(pid: number): number | undefined {
  // The command's name, in parentheses, may itself contain spaces and parentheses.
  const fields = read(`/proc/${pid}/stat`)?.split(') ').at(-1)?.split(' ')
  return fields === undefined ? undefined : Number(fields[1])
}

function commandOf(pid: number): string {
  return read(`/proc/${pid}/cmdline`)?.split('\0', 1)[0] ?? ''
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
