import { dayMs } from '../../shared/time/day.ts'
import type { Sql } from '../storage/sql.ts'
import type { Claim, ClaimReply, IdempotencyStore, Outcome } from './idempotency-store.ts'

/** Milliseconds an answer is given again: a client that retries has done so within a day. */
export const keptMs = dayMs

/** Bytes of the answers kept for one scope: 61 of the longest, or ten thousand of some thousand tokens. */
export const maxScopeBytes = 64_000_000

/**
 * Bytes an answer counts at least. So there are 10,000 in a scope at most, and one that comes never pushes out more than
 * some 160 others, however small they are.
 */
const leastCountedBytes = 6_400

/** Answers that one call of `removeExpired` or `forget` removes at most: a millisecond or two of short ones. */
const removedAtOnce = 16

/**
 * A row without a body is a run under way; one without a type, an answer that was too long to be kept. How much each
 * scope holds is counted by triggers, so that it is right whoever writes and nothing has to be added up. In files made
 * by earlier versions, `answers` has a further column, which nobody reads.
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

/** Adds up once what was kept before there were sums. */
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
 * Answers in SQLite, on every platform. What one call of it does never depends on how much is kept, and what is kept for
 * one scope never on another's.
 */
export class AnswerRegister implements IdempotencyStore {
  readonly #sql: Sql
  readonly #now: () => number
  readonly #owner: string

  /**
   * @param now milliseconds since 1970
   * @param owner names the process that runs what it claims here, where several share the database
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
    // The run's name guards against one that comes back after its lease: another has taken its place.
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

  /** Removes some of the answers of a scope. @returns whether there may be more */
  forget(scope: string): boolean {
    const removed = this.#sql.all(
      `DELETE FROM answers WHERE position IN (SELECT position FROM answers WHERE scope = ? LIMIT ?)
       RETURNING position`,
      scope,
      removedAtOnce,
    )
    return removed.length === removedAtOnce
  }

  /** Removes some of what is past its time. @returns whether there may be more */
  removeExpired(): boolean {
    const removed = this.#sql.all(
      `DELETE FROM answers WHERE position IN (SELECT position FROM answers WHERE expires_at <= ? LIMIT ?)
       RETURNING position`,
      this.#now(),
      removedAtOnce,
    )
    return removed.length === removedAtOnce
  }

  /** When the next answer or run is past its time, milliseconds since 1970; undefined when there is none. */
  nextExpiry(): number | undefined {
    const query = 'SELECT min(expires_at) AS at FROM answers'
    return this.#sql.all<{ at: number | null }>(query)[0]?.at ?? undefined
  }

  /** Forgets the runs of processes that are gone: nobody will tell how they ended. */
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
