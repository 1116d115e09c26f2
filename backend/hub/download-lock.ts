import { join } from 'node:path'
import { takeLock } from '../../shared/node/lock-file.ts'
import { HubError } from './hub-error.ts'

const fileName = 'download.lock'

/**
 * Keeps two processes from downloading into the same folder. The lock of a process that is gone is taken over.
 * @returns a function that releases the lock
 * @throws {HubError} when another process holds it
 */
export async function lockDownload(folder: string): Promise<() => Promise<void>> {
  const file = join(folder, fileName)
  const lock = await takeLock(file)
  if ('release' in lock) return lock.release
  throw new HubError(
    `another process (${lock.holder}) downloads into ${folder}; if it is gone, remove ${file}`,
  )
}
