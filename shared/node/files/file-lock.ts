import { accessSync, constants, rmSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { isSqliteBusy } from './sqlite-errors.ts'

/** A lock of this process on a file. */
export interface FileLock {
  /** Removes the file. */
  release(): void
}

/**
 * Locks a file that exists for nothing else, by opening it as an empty database. The system releases the lock with
 * the process, however that ends, so no lock is ever stale.
 * @returns undefined while another holder has it
 * @throws a system error when its folder cannot be written
 */
export function tryLock(file: string): FileLock | undefined {
  accessSync(dirname(file), constants.W_OK)
  for (;;) {
    const before = inodeOf(file)
    const database = new DatabaseSync(file, { timeout: 0 })
    if (!becameExclusive(database)) return undefined
    // If the last holder removed the file just after it was opened here, this lock keeps nobody out.
    if (before !== undefined && inodeOf(file) === before) {
      return {
        release() {
          rmSync(file, { force: true })
          database.close()
        },
      }
    }
    database.close()
  }
}

/** Closes the database unless it succeeds. */
function becameExclusive(database: DatabaseSync): boolean {
  try {
    // A journal on disk would be a second file.
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE')
    return true
  } catch (error) {
    database.close()
    if (isSqliteBusy(error)) return false
    throw error
  }
}

function inodeOf(file: string): bigint | undefined {
  return statSync(file, { bigint: true, throwIfNoEntry: false })?.ino
}
