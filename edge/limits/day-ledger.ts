import type { DayUsage } from '../../shared/api/administration/usage.ts'
import type { Sql } from '../storage/sql.ts'
import { type DayRange, type Settlement, tokensOf } from './meter.ts'

const schema = `CREATE TABLE IF NOT EXISTS days (
    key_id TEXT, day TEXT, requests INTEGER DEFAULT 0, errors INTEGER DEFAULT 0, cancelled INTEGER DEFAULT 0,
    images INTEGER DEFAULT 0, prompt_tokens INTEGER DEFAULT 0, image_tokens INTEGER DEFAULT 0,
    completion_tokens INTEGER DEFAULT 0, unfinished_tokens INTEGER DEFAULT 0, ms INTEGER DEFAULT 0,
    PRIMARY KEY (key_id, day)) WITHOUT ROWID`

const columns = [
  'requests',
  'errors',
  'cancelled',
  'images',
  'prompt_tokens',
  'image_tokens',
  'completion_tokens',
  'unfinished_tokens',
  'ms',
] as const

/** What is added to a day; absent fields are left unchanged. */
export type LedgerEntry = Partial<Record<(typeof columns)[number], number>>

const addToDay = `INSERT INTO days (key_id, day, ${columns.join(', ')})
  VALUES (?, ?, ${columns.map(() => '?').join(', ')})
  ON CONFLICT DO UPDATE SET ${columns.map((name) => `${name} = ${name} + excluded.${name}`).join(', ')}`

/** A call whose end was never reported. */
export const lostCall: LedgerEntry = { requests: 1, errors: 1 }

/** What each key used on each day (UTC). It opens no transactions: each use is part of one. */
export class DayLedger {
  readonly #sql: Sql

  constructor(sql: Sql) {
    this.#sql = sql
    sql.all(schema)
  }

  add(keyId: string, day: string, entry: LedgerEntry): void {
    this.#sql.all(addToDay, keyId, day, ...columns.map((column) => entry[column] ?? 0))
  }

  /** What counts towards the limits of a day. */
  usedOn(keyId: string, day: string): { readonly tokens: number; readonly images: number } {
    const [used] = this.#sql.all<{ tokens: number; images: number }>(
      `SELECT prompt_tokens + completion_tokens + unfinished_tokens AS tokens, images
       FROM days WHERE key_id = ? AND day = ?`,
      keyId,
      day,
    )
    return used ?? { tokens: 0, images: 0 }
  }

  usage(keyId: string, { from, to }: DayRange): DayUsage[] {
    return this.#sql
      .all<Omit<DayUsage, 'seconds'> & { ms: number }>(
        'SELECT * FROM days WHERE key_id = ? AND day BETWEEN ? AND ? ORDER BY day',
        keyId,
        from,
        to,
      )
      .map(({ ms, ...day }) => ({ ...day, seconds: ms / 1_000 }))
  }
}

export function ledgerEntry({ ending, usage, images, ms }: Settlement): LedgerEntry {
  return {
    requests: 1,
    errors: ending === 'failed' ? 1 : 0,
    cancelled: ending === 'cancelled' ? 1 : 0,
    images,
    ms: Math.max(0, Math.round(ms)),
    ...(ending === 'answered' ? usage : { unfinished_tokens: tokensOf(usage) }),
  }
}
