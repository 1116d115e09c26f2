import { chmodSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { makeFolder } from '../../../shared/node/files/make-folder.ts'
import type { Sql, SqlValue } from '../../storage/sql.ts'

/** Milliseconds a statement waits while another process writes; changes take far less than one. */
const busyTimeoutMs = 5_000

/** Milliseconds between two checks whether a file still exists: a check takes microseconds. */
const lookMs = 1_000

/** A database file of the edge. */
export interface SqliteFile extends Sql {
  close(): void
}

/**
 * Opens the database `name`.db in `folder`, creating both if missing, readable by their owner only. Several processes
 * may have it open: what one has written is seen by every later statement of the others.
 *
 * Statements fail once the file has been removed or replaced: SQLite would continue with the old one, which nobody can
 * find any more, and everything written to it would be silently lost.
 */
export function openSqlite(folder: string, name: string): SqliteFile {
  makeFolder(folder, 0o700)
  const path = join(folder, `${name}.db`)
  const database = new DatabaseSync(path, { timeout: busyTimeoutMs })
  chmodSync(path, 0o600)
  // Readers and the writer do not wait for each other. A crash of the machine may lose the last commits but never the
  // file.
  database.exec('PRAGMA journal_mode = WAL')
  database.exec('PRAGMA synchronous = NORMAL')
  return {
    ...sqlOf(database, placeGuard(path)),
    close: () => {
      database.close()
    },
  }
}

/** Returns a function that throws, within a second, once the file at `path` is no longer the current one. */
function placeGuard(path: string): () => void {
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
