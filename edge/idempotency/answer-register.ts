import type { Sql } from '../storage/sql.ts'
import type { Claim, ClaimReply, IdempotencyStore, KeptAnswer } from './idempotency-store.ts'

/** Milliseconds an answer is given again: a client that retries has done so within a day. */
export const keptMs = 24 * 3_600_000

/** Answers kept in one store, and their characters together: beyond either the oldest go first. */
export const maxAnswers = 10_000
const maxTotalChars = 256 * 1024 * 1024

const tables = [
  `CREATE TABLE IF NOT EXISTS answers
     (position INTEGER PRIMARY KEY AUTOINCREMENT, scope TEXT NOT NULL, key TEXT NOT NULL,
      fingerprint TEXT NOT NULL, run TEXT NOT NULL, owner TEXT NOT NULL, expires_at INTEGER NOT NULL,
      content_type TEXT, body TEXT, chars INTEGER NOT NULL DEFAULT 0, UNIQUE (scope, key))`,
  `CREATE INDEX IF NOT EXISTS answers_by_expiry ON answers (expires_at)`,
]

type AnswerRow = {
  readonly fingerprint: string
  readonly content_type: string | null
  readonly body: string | null
}

/** Answers in SQLite, on every platform. A row without a body is a run under way. */
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
    for (const table of tables) sql.all(table)
  }

  claim({ scope, key, fingerprint, leaseMs }: Claim): ClaimReply {
    return this.#sql.transaction(() => {
      const now = this.#now()
      this.#sql.all('DELETE FROM answers WHERE expires_at <= ?', now)
      const query =
        'SELECT fingerprint, content_type, body FROM answers WHERE scope = ? AND key = ?'
      const [row] = this.#sql.all<AnswerRow>(query, scope, key)
      if (row !== undefined) return replyOf(row, fingerprint)
      const run = crypto.randomUUID()
      const insert =
        'INSERT INTO answers (scope, key, fingerprint, run, owner, expires_at) VALUES (?, ?, ?, ?, ?, ?)'
      this.#sql.all(insert, scope, key, fingerprint, run, this.#owner, now + leaseMs)
      return { kind: 'run', run }
    })
  }

  settle({ scope, key }: Claim, run: string, answer: KeptAnswer | undefined): void {
    // The run's name guards against one that comes back after its lease: another has taken its place.
    const where = 'WHERE scope = ? AND key = ? AND run = ?'
    if (answer === undefined) {
      this.#sql.all(`DELETE FROM answers ${where}`, scope, key, run)
      return
    }
    const { contentType, body } = answer
    const set = 'SET content_type = ?, body = ?, chars = ?, expires_at = ?'
    this.#sql.transaction(() => {
      const update = `UPDATE answers ${set} ${where}`
      const expiresAt = this.#now() + keptMs
      this.#sql.all(update, contentType, body, body.length, expiresAt, scope, key, run)
      this.#dropOldest()
    })
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

  #dropOldest(): void {
    const totals = 'SELECT count(*) AS answers, total(chars) AS chars FROM answers'
    for (;;) {
      const [total] = this.#sql.all<{ answers: number; chars: number }>(totals)
      if (total === undefined) return
      if (total.answers <= maxAnswers && total.chars <= maxTotalChars) return
      this.#sql.all(
        `DELETE FROM answers WHERE position =
           (SELECT min(position) FROM answers WHERE body IS NOT NULL)`,
      )
    }
  }
}

function replyOf(row: AnswerRow, fingerprint: string): ClaimReply {
  if (row.fingerprint !== fingerprint) return { kind: 'conflict' }
  if (row.body === null) return { kind: 'running' }
  return {
    kind: 'answered',
    answer: { contentType: row.content_type ?? 'application/json', body: row.body },
  }
}
