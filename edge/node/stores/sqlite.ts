import { chmodSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import type { Sql, SqlValue } from '../../storage/sql.ts'

/** Milliseconds a statement waits while another process writes; changes take far less than one. */
const busyTimeoutMs = 5_000

/** A database file of the edge. */
export interface SqliteFile extends Sql {
  close(): void
}

/**
 * Opens the database `name`.db in `folder`, creating both if missing, readable by their owner only. Several processes
 * may have it open: what one has written, every later statement of the others sees.
 */
export function openSqlite(folder: string, name: string): SqliteFile {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const path = join(folder, `${name}.db`)
  const database = new DatabaseSync(path, { timeout: busyTimeoutMs })
  chmodSync(path, 0o600)
  // Readers and the writer do not wait for each other. A crash of the machine may lose the last commits but never the
  // file.
  database.exec('PRAGMA journal_mode = WAL')
  database.exec('PRAGMA synchronous = NORMAL')
  return {
    ...sqlOf(database),
    close: () => {
      database.close()
    },
  }
}

function sqlOf(database: DatabaseSync): Sql {
  // Preparing costs more than running. There are a few dozen queries, all literals in this program.
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
      const statement = prepared(query)
      if (statement.columns().length > 0) return statement.all(...parameters) as Row[]
      statement.run(...parameters)
      return []
    },
    transaction(action) {
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
