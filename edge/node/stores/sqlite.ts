import { randomInt } from 'node:crypto'
import { chmodSync, closeSync, openSync, readSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { makeFolder } from '../../../shared/node/files/make-folder.ts'
import { isSqliteBusy } from '../../../shared/node/files/sqlite-errors.ts'
import type { Sql, SqlValue } from '../../storage/sql.ts'

/** Milliseconds a statement waits while another process writes; changes take far less than one. */
const busyTimeoutMs = 5_000

/** Milliseconds between two tries to open a file that another process is opening, which takes a few. */
const lockedWaitMs = 5

/** Milliseconds between two checks whether a file is still the one that was opened: a check takes microseconds. */
const lookMs = 1_000

/** Where SQLite keeps `application_id`, four bytes, in the file (sqlite.org/fileformat.html, 1.3). */
const markOffset = 68

/** The largest `application_id`: it is signed. */
const largestMark = 2 ** 31 - 1

/** A database file of the edge. */
export interface SqliteFile extends Sql {
  close(): void
}

/**
 * Opens the database `name`.db in `folder`, creating both if missing, readable by their owner only. Several processes
 * may have it open: what one has written is seen by every later statement of the others.
 *
 * Statements fail once the file has been removed or replaced: SQLite would continue with the old one, which nobody can
 * find any more, and everything written to it would be silently lost. They also fail once another database has been
 * written into the file, which SQLite would mix with what it holds in memory. An older state of the same database is not
 * noticed.
 */
export function openSqlite(folder: string, name: string): SqliteFile {
  makeFolder(folder, 0o700)
  const path = join(folder, `${name}.db`)
  const database = new DatabaseSync(path, { timeout: busyTimeoutMs })
  chmodSync(path, 0o600)
  // Readers and the writer do not wait for each other. A crash of the machine may lose the last commits but never the
  // file.
  whenNotLocked(() => database.exec('PRAGMA journal_mode = WAL'))
  database.exec('PRAGMA synchronous = NORMAL')
  const mark = markOf(database)
  // It stays open as long as the database: closing a file gives up all locks that this process has on it.
  const file = openSync(path, 'r')
  return {
    ...sqlOf(database, placeGuard(path, keepsMark(file, mark))),
    close: () => {
      database.close()
      closeSync(file)
    },
  }
}

/**
 * Does what SQLite refuses at once, without its usual waiting, while another process does the same: two that change to
 * the log of changes would wait for each other for ever.
 * @throws what SQLite says if the file stays locked
 */
function whenNotLocked(action: () => void): void {
  const end = performance.now() + busyTimeoutMs
  for (;;) {
    try {
      return action()
    } catch (error) {
      if (!isSqliteBusy(error) || performance.now() > end) throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, lockedWaitMs)
    }
  }
}

/** The number by which the file is recognised, made once for each database. */
function markOf(database: DatabaseSync): number {
  const read = () =>
    (database.prepare('PRAGMA application_id').get() as { application_id: number }).application_id
  database.exec('BEGIN IMMEDIATE')
  if (read() === 0) database.exec(`PRAGMA application_id = ${randomInt(1, largestMark)}`)
  database.exec('COMMIT')
  try {
    // Until then it is only in the log of changes.
    database.exec('PRAGMA wal_checkpoint(PASSIVE)')
  } catch {
    // On a full disk everything can still be read, so this is left for later.
  }
  return read()
}

/** Returns a function that says whether the mark is still there, once it has been seen: another process may delay it. */
function keepsMark(file: number, mark: number): () => boolean {
  let wasThere = false
  return () => {
    const isThere = readMark(file) === mark
    wasThere ||= isThere
    return isThere || !wasThere
  }
}

/** The mark in the file itself; undefined while there is none. */
function readMark(file: number): number | undefined {
  const bytes = Buffer.alloc(4)
  return readSync(file, bytes, 0, 4, markOffset) === 4 ? bytes.readInt32BE() : undefined
}

/**
 * Returns a function that throws, within a second, once the file at `path` is no longer the current one, or is not what it
 * was.
 */
function placeGuard(path: string, isWhatItWas: () => boolean): () => void {
  const inodeNow = () => statSync(path, { bigint: true, throwIfNoEntry: false })?.ino
  const inode = inodeNow()
  let lookedAt = performance.now()
  return () => {
    if (performance.now() - lookedAt < lookMs) return
    const found = inodeNow()
    if (found !== inode) {
      const what = found === undefined ? 'removed' : 'replaced'
      throw new Error(`${path} was ${what} while in use; put it back, or start the edge again`)
    }
    if (!isWhatItWas()) {
      throw new Error(
        `${path} was overwritten while in use: stop the edge, and put a backup in its place, with no -wal and -shm file beside it`,
      )
    }
    lookedAt = performance.now()
  }
}

function sqlOf(database: DatabaseSync, checkPlace: () => void): Sql {
  // Preparing a query costs more than running it. There are a few dozen queries, all literals in this program.
  const statements = new Map<string, StatementSync>()
  const prepared = (query: string) => {
    if (!database.isOpen) throw new Error('The database is closed')
    let statement = statements.get(query)
    if (statement === undefined) {
      statement = database.prepare(query)
      statements.set(query, statement)
    }
    return statement
  }
  return {
    all<Row extends Record<string, SqlValue>>(query: string, ...parameters: SqlValue[]): Row[] {
      checkPlace()
      const statement = prepared(query)
      if (statement.columns().length > 0) return statement.all(...parameters) as Row[]
      statement.run(...parameters)
      return []
    },
    transaction(action) {
      checkPlace()
      prepared('BEGIN IMMEDIATE').run()
      try {
        const result = action()
        prepared('COMMIT').run()
        return result
      } catch (error) {
        if (database.isTransaction) prepared('ROLLBACK').run()
        throw error
      }
    },
  }
}
