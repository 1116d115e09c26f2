import { dayMs } from '../../shared/time/day.ts'
import type { Sql } from '../storage/sql.ts'
import type { Claim, ClaimReply, IdempotencyStore, Outcome } from './idempotency-store.ts'

/** Milliseconds an answer can be repeated: a client that retries does so within a day. */
export const keptMs = dayMs

/** Bytes of the answers kept for one scope: 61 of the longest, or ten thousand of about a thousand tokens. */
export const maxScopeBytes = 64_000_000

/**
 * The least that an answer counts as. So a scope holds at most 10,000, and a new answer never displaces more than
 * about 160 others, however small they are.
 */
const leastCountedBytes = 6_400

/** The most answers that one call of `removeExpired` or `forget` removes: a millisecond or two for short ones. */
const removedAtOnce = 16

/**
 * A row without a body is a run in progress; one without a type is an answer that was too long to be kept. Triggers
 * count how much each scope holds, so the sum is right for every writer and need not be computed. In files made by
 * earlier versions, `answers` has an additional column, which nothing reads.
 */
const schema = [
  `CREATE TABLE IF NOT EXISTS answers
     (position INTEGER PRIMARY KEY AUTOINCREMENT, scope TEXT NOT NULL, key TEXT NOT NULL,
      fingerprint TEXT NOT NULL, run TEXT NOT NULL, owner TEXT NOT NULL, expires_at INTEGER NOT NULL,
      content_type TEXT, body TEXT, UNIQUE (scope, key))`,
  'CREATE INDEX IF NOT EXISTS answers_by_expiry ON answers (expires_at)',
  'CREATE INDEX IF NOT EXISTS answers_by_age ON answers (scope, position) WHERE body IS NOT NULL',
  `CREATE TABLE IF NOT EXISTS scope_bytes
     (scope TEXT PRIMARY KEY, bytes INTEGER NOT NULL) WITHOUT ROWID`,
  `CREATE TRIGGER IF NOT EXISTS answer_kept AFTER UPDATE OF body ON answers
     WHEN old.body IS NULL AND new.body IS NOT NULL BEGIN
       INSERT INTO scope_bytes VALUES (new.scope, ${countedBytes('new.body')})
         ON CONFLICT (scope) DO UPDATE SET bytes = bytes + excluded.bytes;
     END`,
  `CREATE TRIGGER IF NOT EXISTS answer_removed AFTER DELETE ON answers WHEN old.body IS NOT NULL BEGIN
       UPDATE scope_bytes SET bytes = bytes - ${countedBytes('old.body')} WHERE scope = old.scope;
       DELETE FROM scope_bytes WHERE scope = old.scope AND bytes <= 0;
     END`,
]

/** Computes the sums once for answers kept by versions without them. */
const countEarlier = `INSERT INTO scope_bytes
  SELECT scope, sum(${countedBytes('body')}) FROM answers
  WHERE body IS NOT NULL AND NOT EXISTS (SELECT 1 FROM scope_bytes) GROUP BY scope`

function countedBytes(column: string): string {
  return `max(octet_length(${column}), ${leastCountedBytes})`
}

type AnswerRow = {
  readonly fingerprint: string
  readonly expires_at: number
  readonly content_type: string | null
  readonly body: string | null
}

/**
 * Kept answers in SQLite, on every platform. The cost of one call never depends on how much is kept, and the answers
 * of one scope never affect another's.
 */
export class AnswerRegister implements IdempotencyStore {
  readonly #sql: Sql
  readonly #now: () => number
  readonly #owner: string

  /**
   * @param now milliseconds since 1970
   * @param owner identifies the process that runs what it claims here, where several share the database
   */
  constructor(sql: Sql, now: () => number, owner = '') {
    this.#sql = sql
    this.#now = now
    this.#owner = owner
    for (const statement of schema) sql.all(statement)
    sql.all(countEarlier)
  }

  claim({ scope, key, fingerprint, leaseMs }: Claim): ClaimReply {
    return this.#sql.transaction(() => {
      const now = this.#now()
      const query =
        'SELECT fingerprint, expires_at, content_type, body FROM answers WHERE scope = ? AND key = ?'
      const [row] = this.#sql.all<AnswerRow>(query, scope, key)
      if (row !== undefined && row.expires_at > now) return replyOf(row, fingerprint)
      if (row !== undefined) {
        this.#sql.all('DELETE FROM answers WHERE scope = ? AND key = ?', scope, key)
      }
      const run = crypto.randomUUID()
      const insert =
        'INSERT INTO answers (scope, key, fingerprint, run, owner, expires_at) VALUES (?, ?, ?, ?, ?, ?)'
      this.#sql.all(insert, scope, key, fingerprint, run, this.#owner, now + leaseMs)
      return { kind: 'run', run }
    })
  }

  settle({ scope, key }: Claim, run: string, outcome: Outcome): void {
    // The run's name guards against a run that returns after its lease, when another has taken its place.
    const where = 'WHERE scope = ? AND key = ? AND run = ?'
    if (outcome.kind === 'failed') {
      this.#sql.all(`DELETE FROM answers ${where}`, scope, key, run)
      return
    }
    const { contentType, body } =
      outcome.kind === 'answered' ? outcome.answer : { contentType: null, body: '' }
    this.#sql.transaction(() => {
      const update = `UPDATE answers SET content_type = ?, body = ?, expires_at = ? ${where}`
      this.#sql.all(update, contentType, body, this.#now() + keptMs, scope, key, run)
      this.#dropOldest(scope)
    })
  }

  /** Removes some of a scope's answers. @returns whether there may be more */
  forget(scope: string): boolean {
    const removed = this.#sql.all(
      `DELETE FROM answers WHERE position IN (SELECT position FROM answers WHERE scope = ? LIMIT ?)
       RETURNING position`,
      scope,
      removedAtOnce,
    )
    return removed.length === removedAtOnce
  }

  /** Removes some expired answers. @returns whether there may be more */
  removeExpired(): boolean {
    const removed = this.#sql.all(
      `DELETE FROM answers WHERE position IN (SELECT position FROM answers WHERE expires_at <= ? LIMIT ?)
       RETURNING position`,
      this.#now(),
      removedAtOnce,
    )
    return removed.length === removedAtOnce
  }

  /** When the next answer or run expires, milliseconds since 1970; undefined when there is none. */
  nextExpiry(): number | undefined {
    const query = 'SELECT min(expires_at) AS at FROM answers'
    return this.#sql.all<{ at: number | null }>(query)[0]?.at ?? undefined
  }

  /** Drops the runs of processes that are gone, since nobody will report their outcome. */
  abandonRuns(isGone: (owner: string) => boolean): void {
    const query = 'SELECT DISTINCT owner FROM answers WHERE body IS NULL'
    for (const { owner } of this.#sql.all<{ owner: string }>(query)) {
      if (isGone(owner)) {
        this.#sql.all('DELETE FROM answers WHERE body IS NULL AND owner = ?', owner)
      }
    }
  }

  #dropOldest(scope: string): void {
    const query = 'SELECT bytes FROM scope_bytes WHERE scope = ?'
    for (;;) {
      const [held] = this.#sql.all<{ bytes: number }>(query, scope)
      if (held === undefined || held.bytes <= maxScopeBytes) return
      this.#sql.all(
        `DELETE FROM answers WHERE position =
           (SELECT min(position) FROM answers WHERE scope = ? AND body IS NOT NULL)`,
        scope,
      )
    }
  }
}

function replyOf(row: AnswerRow, fingerprint: string): ClaimReply {
  if (row.fingerprint !== fingerprint) return { kind: 'conflict' }
  if (row.body === null) return { kind: 'running' }
  if (row.content_type === null) return { kind: 'too_long' }
  return { kind: 'answered', answer: { contentType: row.content_type, body: row.body } }
}
