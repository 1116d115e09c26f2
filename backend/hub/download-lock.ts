import { readFile, rm, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { isRunning } from '../../shared/node/process/is-running.ts'
import { HubError } from './hub-error.ts'

const fileName = 'download.lock'

/**
 * Keeps two processes from downloading into the same folder. The lock of a process that is gone is taken over.
 * @returns a function that releases the lock
 * @throws {HubError} when another process holds it
 */
export async function lockDownload(folder: string): Promise<() => Promise<void>> {
  const file = join(folder, fileName)
  const own = `${hostname()} ${process.pid}`
  for (;;) {
    try {
      await writeFile(file, own, { flag: 'wx' })
      return () => rm(file, { force: true })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    const holder = await readFile(file, 'utf8').catch(() => '')
    if (holder === own) return () => rm(file, { force: true })
    const [host, pid] = holder.split(' ')
    if (host === hostname() && !isRunning(Number(pid))) await rm(file, { force: true })
    else {
      throw new HubError(
        `another process (${holder}) downloads into ${folder}; if it is gone, remove ${file}`,
      )
    }
  }
}
