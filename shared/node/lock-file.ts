import { open, readFile, rm, stat } from 'node:fs/promises'
import { hostname } from 'node:os'
import { isRunning } from './is-running.ts'

/** Milliseconds between creating the file and writing into it, at most. */
const namelessMs = 10_000

/** A lock that was taken, or who holds it: `<host> <process id>`. */
export type Lock = { readonly release: () => Promise<void> } | { readonly holder: string }

/**
 * Takes a lock that only one process can hold, by creating a file. The lock of a process of this host that is gone is taken
 * over.
 * @param options `isAbandoned` decides about processes of other hosts, which cannot be asked; they hold it forever unless given
 */
export async function takeLock(
  file: string,
  { isAbandoned }: { readonly isAbandoned?: (file: string) => Promise<boolean> } = {},
): Promise<Lock> {
  const own = `${hostname()} ${process.pid}`
  const release = () => rm(file, { force: true })
  for (;;) {
    try {
      const handle = await open(file, 'wx')
      await handle.writeFile(own)
      await handle.close()
      return { release }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    const holder = await readFile(file, 'utf8').catch(() => '')
    if (holder === own) return { release }
    const [host, pid] = holder.split(' ')
    const isGone =
      host === hostname() ? !isRunning(Number(pid)) : await (isAbandoned ?? isNameless)(file)
    if (!isGone) return { holder }
    await rm(file, { force: true })
  }
}

/** Whether its process was killed before it could write its name. */
async function isNameless(file: string): Promise<boolean> {
  const found = await stat(file).catch(() => undefined)
  return found?.size === 0 && Date.now() - found.mtimeMs > namelessMs
}
