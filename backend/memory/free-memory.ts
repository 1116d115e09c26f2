import { existsSync, readFileSync } from 'node:fs'
import { freemem } from 'node:os'
import { dirname, join } from 'node:path'

/** Memory that programs can still take without anything being swapped or killed. */
export interface FreeMemory {
  readonly bytes: number
  /** What sets the limit. */
  readonly limitedBy: 'machine' | 'container' | 'setting'
}

/** File names of the two versions of Linux' control groups, which limit containers and services. */
const controlGroups = {
  v1: {
    limits: ['memory.limit_in_bytes'],
    usage: 'memory.usage_in_bytes',
    reclaimable: ['total_inactive_file', 'total_active_file'],
  },
  v2: {
    limits: ['memory.max', 'memory.high'],
    usage: 'memory.current',
    reclaimable: ['inactive_file', 'active_file', 'slab_reclaimable'],
  },
} as const

interface ControlGroup {
  readonly folder: string
  readonly version: keyof typeof controlGroups
}

/** From here on, version 1 means that there is no limit: its largest number of whole pages. */
const noLimit = 2 ** 62

/**
 * Reads how much memory is free: on Linux what the kernel calls available, and less where a container or service may not
 * have all of it. Pages of files count as free, in control groups too: they fill a container's limit whenever files are
 * read, and are dropped when programs need memory.
 * @param root of the file system; another one in tests
 * @returns undefined where the system's number does not mean this, as on macOS
 */
export function readFreeMemory(root = '/', platform = process.platform): FreeMemory | undefined {
  if (platform === 'win32') return { bytes: freemem(), limitedBy: 'machine' }
  const available = numberIn(readText(root, 'proc/meminfo'), /^MemAvailable:\s*(\d+) kB$/m)
  if (platform !== 'linux' || available === undefined) return undefined
  const free = ownControlGroups(root).flatMap((group) => freeIn(group) ?? [])
  const least = Math.min(...free)
  const bytes = available * 1024
  return least < bytes ? { bytes: least, limitedBy: 'container' } : { bytes, limitedBy: 'machine' }
}

/** The same, unless the operator says how much may be used. */
export function freeMemory(limitBytes: number | undefined): FreeMemory | undefined {
  if (limitBytes === undefined) return readFreeMemory()
  return { bytes: limitBytes, limitedBy: 'setting' }
}

/** The control groups this process is in, with those around them: each may have a limit. */
function ownControlGroups(root: string): ControlGroup[] {
  const lines = readText(root, 'proc/self/cgroup').trim().split('\n')
  return lines.flatMap((line) => {
    const [, controllers, path = '/'] = /^\d+:([^:]*):(.*)$/.exec(line) ?? []
    if (controllers === '') return groupsAround(join(root, 'sys/fs/cgroup'), path, 'v2')
    if (controllers?.split(',').includes('memory') !== true) return []
    return groupsAround(join(root, 'sys/fs/cgroup/memory'), path, 'v1')
  })
}

/** In a container the path may be the host's, of which only the container's own part is mounted. */
function groupsAround(
  mount: string,
  path: string,
  version: ControlGroup['version'],
): ControlGroup[] {
  const folders = [mount]
  for (let part = path; part !== dirname(part); part = dirname(part))
    folders.push(join(mount, part))
  return folders.filter(existsSync).map((folder) => ({ folder, version }))
}

/** @returns undefined without a limit */
function freeIn({ folder, version }: ControlGroup): number | undefined {
  const { limits, usage, reclaimable } = controlGroups[version]
  const set = limits
    .map((name) => numberIn(readText(folder, name), /^(\d+)$/m) ?? Infinity)
    .filter((bytes) => bytes < noLimit)
  const used = numberIn(readText(folder, usage), /^(\d+)$/m)
  if (set.length === 0 || used === undefined) return undefined
  const statistics = readText(folder, 'memory.stat')
  const dropped = reclaimable.map(
    (name) => numberIn(statistics, new RegExp(`^${name} (\\d+)$`, 'm')) ?? 0,
  )
  const free = Math.min(...set) - used + dropped.reduce((sum, bytes) => sum + bytes, 0)
  return Math.max(0, free)
}

function numberIn(text: string, pattern: RegExp): number | undefined {
  const found = pattern.exec(text)?.[1]
  return found === undefined ? undefined : Number(found)
}

/** Empty when there is no such file. */
function readText(folder: string, name: string): string {
  try {
    return readFileSync(join(folder, name), 'utf8')
  } catch {
    return ''
  }
}
