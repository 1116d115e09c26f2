import type { Dirent } from 'node:fs'
import { readdir, rm, stat } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { isRunning } from '../../../shared/node/is-running.ts'

/** `<folder>.partial-<host>-<process id>`; older versions did not include the host. */
const partialName = /\.partial-(?:(?<host>.+)-)?(?<pid>\d+)$/

/** Milliseconds without a write after which a conversion must be dead: a live one writes several times a second. */
const abandonedAfterMs = 60 * 60 * 1_000

/** Where this process writes what becomes `folder` once it is complete. */
export function partialFolderOf(folder: string): string {
  return `${folder}.partial-${hostname()}-${process.pid}`
}

/**
 * Removes what interrupted conversions left in `modelsDir`: those of ended processes on this host, and those of other
 * hosts, such as containers sharing the folder, when nothing was written for an hour.
 * @returns names of the removed folders
 */
export async function removeAbandoned(modelsDir: string, now: number): Promise<string[]> {
  const removed: string[] = []
  for (const entry of await readFolder(modelsDir)) {
    const folder = join(modelsDir, entry.name)
    if (!entry.isDirectory() || !(await isAbandoned(folder, now))) continue
    await rm(folder, { recursive: true, force: true })
    removed.push(entry.name)
  }
  return removed
}

async function readFolder(folder: string): Promise<Dirent[]> {
  try {
    return await readdir(folder, { withFileTypes: true })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

async function isAbandoned(folder: string, now: number): Promise<boolean> {
  const match = partialName.exec(folder)
  if (match === null) return false
  const { host = hostname(), pid } = match.groups as { host?: string; pid: string }
  if (host === hostname() && !isRunning(Number(pid))) return true
  return now - (await lastWritten(folder)) > abandonedAfterMs
}

/** Milliseconds since 1970. */
async function lastWritten(folder: string): Promise<number> {
  const names = (await readFolder(folder)).map(({ name }) => join(folder, name))
  const times = await Promise.all(
    [folder, ...names].map(async (name) => {
      const stats = await stat(name).catch(() => undefined)
      return stats?.mtimeMs ?? 0
    }),
  )
  return Math.max(...times)
}
