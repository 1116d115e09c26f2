import type { Sql } from '../storage/sql.ts'
import { randomSecret } from './key-format.ts'
import type { KeyRecord } from './key-record.ts'
import { statusOf } from './key-view.ts'
import type { KeyChanges, KeyStore, NewKey, SyncReply } from './key-store.ts'

/**
 * Changes reported in one answer. An isolate further behind discards what it knows instead, which is cheaper for
 * both.
 */
const maxReportedChanges = 1_000

/** Changes kept: days of administration, and a few hundred kilobytes at most. */
const maxKeptChanges = 10_000

const tables = [
  `CREATE TABLE IF NOT EXISTS keys
     (position INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, record TEXT NOT NULL)`,
  `CREATE TABLE IF NOT EXISTS key_changes
     (version INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL)`,
  `CREATE TABLE IF NOT EXISTS key_secrets (name TEXT PRIMARY KEY, value TEXT NOT NULL)`,
]

/**
 * The keys of one installation in SQLite; the authority, on every platform. Holds no secrets of clients, only hashes.
 */
export class KeyRegistry implements KeyStore {
  readonly #sql: Sql
  readonly #now: () => number
  readonly #checkSecret: string

  /** @param now milliseconds since 1970 */
  constructor(sql: Sql, now: () => number) {
    this.#sql = sql
    this.#now = now
    for (const table of tables) sql.all(table)
    this.#checkSecret = readSecret(sql) ?? makeSecret(sql)
  }

  checkSecret(): string {
    return this.#checkSecret
  }

  sync(version: number, id: string): SyncReply {
    return this.#sql.transaction(() => ({
      ...this.#changedSince(version),
      checkSecret: this.#checkSecret,
      record: this.get(id),
    }))
  }

  get(id: string): KeyRecord | undefined {
    const [row] = this.#sql.all<RecordRow>('SELECT record FROM keys WHERE id = ?', id)
    return row === undefined ? undefined : parseRecord(row)
  }

  list(limit: number, after?: string): readonly KeyRecord[] | undefined {
    const position = after === undefined ? 0 : this.#positionOf(after)
    if (position === undefined) return undefined
    const query = 'SELECT record FROM keys WHERE position > ? ORDER BY position LIMIT ?'
    return this.#sql.all<RecordRow>(query, position, limit).map(parseRecord)
  }

  create(key: NewKey): KeyRecord {
    return this.#sql.transaction(() => {
      const record: KeyRecord = {
        ...key,
        version: this.#nextVersion(key.id),
        createdAt: this.#now(),
        revokedAt: null,
        previous: null,
      }
      const text = JSON.stringify(record)
      this.#sql.all('INSERT INTO keys (id, record) VALUES (?, ?)', record.id, text)
      return record
    })
  }

  update(id: string, changes: KeyChanges): KeyRecord | undefined {
    return this.#change(id, () => changes)
  }

  revoke(id: string): KeyRecord | undefined {
    return this.#change(id, ({ revokedAt }) =>
      revokedAt === null ? { revokedAt: this.#now() } : undefined,
    )
  }

  rotate(id: string, hash: string, graceMs: number): KeyRecord | undefined {
    return this.#change(id, (old) => {
      const now = this.#now()
      if (statusOf(old, now) !== 'active') return undefined
      return { hash, previous: graceMs === 0 ? null : { hash: old.hash, until: now + graceMs } }
    })
  }

  remove(id: string): KeyRecord | undefined {
    return this.#sql.transaction(() => {
      const record = this.get(id)
      if (record === undefined) return undefined
      this.#sql.all('DELETE FROM keys WHERE id = ?', id)
      return { ...record, version: this.#nextVersion(id) }
    })
  }

  /** @param decide returns what changes; undefined for nothing */
  #change(
    id: string,
    decide: (old: KeyRecord) => Partial<KeyRecord> | undefined,
  ): KeyRecord | undefined {
    return this.#sql.transaction(() => {
      const old = this.get(id)
      if (old === undefined) return undefined
      const changes = decide(old)
      if (changes === undefined) return old
      const record: KeyRecord = { ...old, ...changes, version: this.#nextVersion(id) }
      this.#sql.all('UPDATE keys SET record = ? WHERE id = ?', JSON.stringify(record), id)
      return record
    })
  }

  #positionOf(id: string): number | undefined {
    const query = 'SELECT position FROM keys WHERE id = ?'
    return this.#sql.all<{ position: number }>(query, id)[0]?.position
  }

  #nextVersion(id: string): number {
    const [row] = this.#sql.all<VersionRow>(
      'INSERT INTO key_changes (id) VALUES (?) RETURNING version',
      id,
    )
    const { version } = row!
    this.#sql.all('DELETE FROM key_changes WHERE version <= ?', version - maxKeptChanges)
    return version
  }

  #lastVersion(): number {
    const [row] = this.#sql.all<VersionRow>(
      'SELECT ifnull(max(version), 0) AS version FROM key_changes',
    )
    return row!.version
  }

  #changedSince(asked: number): Pick<SyncReply, 'version' | 'since' | 'changed'> {
    const version = this.#lastVersion()
    const earliest = Math.max(0, version - maxReportedChanges)
    // Ahead of us: the store was restored to an earlier state.
    const since = asked > version ? earliest : Math.max(asked, earliest)
    const query = `SELECT id, max(version) AS version FROM key_changes WHERE version > ?
      GROUP BY id ORDER BY 2`
    const changed = this.#sql.all<{ id: string; version: number }>(query, since)
    return { version, since, changed }
  }
}

interface RecordRow extends Record<string, string> {
  record: string
}
interface VersionRow extends Record<string, number> {
  version: number
}

function parseRecord(row: RecordRow): KeyRecord {
  return JSON.parse(row.record) as KeyRecord
}

function readSecret(sql: Sql): string | undefined {
  return sql.all<{ value: string }>(`SELECT value FROM key_secrets WHERE name = 'check'`)[0]?.value
}

/** Another process may be making one too; the first one counts. */
function makeSecret(sql: Sql): string {
  const query = `INSERT INTO key_secrets (name, value) VALUES ('check', ?) ON CONFLICT DO NOTHING`
  sql.all(query, randomSecret())
  return readSecret(sql)!
}
