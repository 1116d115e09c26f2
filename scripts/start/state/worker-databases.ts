import { existsSync, globSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { isSqliteDamage } from '../../../shared/node/files/sqlite-errors.ts'
import { stateFolderAdvice } from '../../../shared/node/files/state-folder.ts'
import { StartError } from '../start-error.ts'

/** Where workerd keeps what the Worker stores, relative to the state folder: a folder for each class of Durable Objects. */
export const workerState = 'edge-worker'

/**
 * Makes sure that workerd can read what it stored: one damaged file ends it with a stack trace, another leaves it running
 * without any keys but the root key. An empty file is a database that nothing was written to.
 * @throws {StartError} naming the damaged file, and what to do about it
 */
export function checkWorkerDatabases(stateDir: string): void {
  const folder = join(stateDir, workerState)
  if (!existsSync(folder)) return
  for (const name of globSync('*/*.sqlite', { cwd: folder })) {
    const path = join(folder, name)
    if (statSync(path).size === 0 || isSound(path)) continue
    throw new StartError(
      `${path} is damaged. Put a backup of ${folder} in its place; or move that folder away to start without the API keys that were created (all but the root key) and what they have used.`,
    )
  }
}

/**
 * Whether SQLite finds no fault: a few milliseconds for each megabyte.
 * @throws {StartError} when the file cannot be opened
 */
function isSound(path: string): boolean {
  try {
    const database = new DatabaseSync(path)
    try {
      const [row] = database.prepare('PRAGMA quick_check(1)').all()
      return row?.['quick_check'] === 'ok'
    } finally {
      database.close()
    }
  } catch (cause) {
    if (isSqliteDamage(cause)) return false
    const { message } = cause as Error
    throw new StartError(`Cannot use ${path} (${message}). ${stateFolderAdvice}`, { cause })
  }
}
