import type { KeyLimits } from '../keys/key-record.ts'
import type { Sql } from '../storage/sql.ts'
import { DayLedger, ledgerEntry, lostCall } from './day-ledger.ts'
import { type Counts, decide } from './decide.ts'
import type { DayUsage } from '../../shared/api/administration/usage.ts'
import {
  type DayRange,
  type Decision,
  type ReserveRequest,
  type Settlement,
  tokensOf,
} from './meter.ts'
import { dayMs } from '../../shared/time/day.ts'
import { lastSecondOutside, secondOf } from './sliding-window.ts'
import { utcDayOf } from './utc-day.ts'

/**
 * What each key has running (`calls`), and has used in the last minute (`seconds`); what it used on each day is in the ledger. A
 * call with `expired_ms` was considered crashed at that time and counts as an error in the ledger; if it is settled after all,
 * within a day, that is corrected. `checks` holds nothing but the time of the latest check.
 */
const schema = [
  `CREATE TABLE IF NOT EXISTS calls (
    key_id TEXT, call_id TEXT, day TEXT, admitted_ms INTEGER, lease_ms INTEGER, tokens INTEGER, images INTEGER,
    owner TEXT, expired_ms INTEGER, PRIMARY KEY (key_id, call_id)) WITHOUT ROWID`,
  `CREATE TABLE IF NOT EXISTS seconds (
    key_id TEXT, second INTEGER, requests INTEGER, tokens INTEGER, PRIMARY KEY (key_id, second)) WITHOUT ROWID`,
  'CREATE TABLE IF NOT EXISTS checks (checked_ms INTEGER)',
]

/** Milliseconds an expired call is remembered, in case its settlement is merely late. */
const lateMs = dayMs

/** Keys whose last tidying is remembered: each takes about 100 bytes. */
const maxTidiedKeys = 10_000

/**
 * Counts calls exactly: every method is one transaction, and the same calls in the same order give the same counts.
 * Time is what the caller states. A clock that was set back does not lock a key out, because times in the future
 * count as now. A clock that jumps ahead lets the window and running calls expire early; their settlements still
 * count.
 */
export class KeyMeter {
  readonly #sql: Sql
  readonly #ledger: DayLedger
  readonly #owner: string
  /** When each key was last tidied, milliseconds since 1970. */
  readonly #tidiedMs = new Map<string, number>()

  /** @param owner identifies this process among those that share the database */
  constructor(sql: Sql, owner = '') {
    this.#sql = sql
    this.#ledger = new DayLedger(sql)
    this.#owner = owner
    for (const statement of schema) sql.all(statement)
  }

  /** Judges a call by its key's limits and, if it is granted, reserves what it may use. */
  reserve(
    keyId: string,
    { callId, limits, demand, leaseMs }: ReserveRequest,
    nowMs: number,
  ): Decision {
    const isTidy = this.#isTidy(keyId, nowMs)
    const made = this.#sql.transaction(() => {
      if (!isTidy) {
        this.#followClock(keyId, nowMs)
        this.#expire(keyId, nowMs)
      }
      const decision = decide(limits, this.#counts(keyId, limits, nowMs), demand, nowMs)
      if (!decision.granted) return decision
      this.#sql.all(
        `INSERT INTO calls (key_id, call_id, day, admitted_ms, lease_ms, tokens, images, owner)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
        keyId,
        callId,
        utcDayOf(nowMs),
        nowMs,
        Math.ceil(leaseMs),
        decision.reserved.tokens,
        decision.reserved.images,
        this.#owner,
      )
      if (hasWindow(limits)) this.#count(keyId, secondOf(nowMs), 1, 0)
      return decision
    })
    if (!isTidy) this.#noteTidy(keyId, nowMs)
    return made
  }

  /** Replaces a reservation by what was actually used. An unknown call, or one settled before, changes nothing. */
  settle(keyId: string, settlement: Settlement): void {
    this.#sql.transaction(() => {
      const [call] = this.#sql.all<{ day: string; admitted_ms: number; expired_ms: number | null }>(
        'DELETE FROM calls WHERE key_id = ? AND call_id = ? RETURNING day, admitted_ms, expired_ms',
        keyId,
        settlement.callId,
      )
      if (call === undefined) return
      if (call.expired_ms !== null) this.#ledger.add(keyId, call.day, { requests: -1, errors: -1 })
      this.#ledger.add(keyId, call.day, ledgerEntry(settlement))
      this.#sql.all(
        'UPDATE seconds SET tokens = tokens + ? WHERE key_id = ? AND second = ?',
        tokensOf(settlement.usage),
        keyId,
        secondOf(call.admitted_ms),
      )
    })
  }

  /** Writes, as a call does: a disk that is full still reads well. @throws {Error} when that fails */
  check(nowMs: number): void {
    this.#sql.all('INSERT OR REPLACE INTO checks (rowid, checked_ms) VALUES (1, ?)', nowMs)
  }

  usage(keyId: string, range: DayRange): DayUsage[] {
    return this.#ledger.usage(keyId, range)
  }

  /** Gives up the running calls of processes that are gone, for all keys. */
  abandonCalls(isGone: (owner: string) => boolean, nowMs: number): void {
    this.#sql.transaction(() => {
      const query = 'SELECT DISTINCT owner FROM calls WHERE expired_ms IS NULL'
      for (const { owner } of this.#sql.all<{ owner: string }>(query)) {
        if (isGone(owner)) this.#abandonCallsOf(owner, nowMs)
      }
    })
  }

  #abandonCallsOf(owner: string, nowMs: number): void {
    const running = this.#sql.all<{ key_id: string; day: string }>(
      'UPDATE calls SET expired_ms = ? WHERE expired_ms IS NULL AND owner = ? RETURNING key_id, day',
      nowMs,
      owner,
    )
    for (const { key_id: keyId, day } of running) this.#ledger.add(keyId, day, lostCall)
  }

  #counts(keyId: string, limits: KeyLimits, nowMs: number): Counts {
    if (Object.keys(limits).length === 0) return nothingCounted
    const outside = lastSecondOutside(nowMs)
    const seconds = this.#sql.all<{ second: number; requests: number; tokens: number }>(
      'SELECT second, requests, tokens FROM seconds WHERE key_id = ? AND second > ?',
      keyId,
      outside,
    )
    const running = this.#sql.all<{
      day: string
      admitted_ms: number
      tokens: number
      images: number
    }>(
      'SELECT day, admitted_ms, tokens, images FROM calls WHERE key_id = ? AND expired_ms IS NULL',
      keyId,
    )
    const day = utcDayOf(nowMs)
    const today = running.filter((call) => call.day === day)
    const used = this.#ledger.usedOn(keyId, day)
    const reserved = running
      .map((call) => ({ second: secondOf(call.admitted_ms), amount: call.tokens }))
      .filter(({ second }) => second > outside)
    return {
      requests: seconds.map(({ second, requests }) => ({ second, amount: requests })),
      tokens: [...seconds.map(({ second, tokens }) => ({ second, amount: tokens })), ...reserved],
      running: running.length,
      tokensToday: today.reduce((sum, call) => sum + call.tokens, used.tokens),
      imagesToday: today.reduce((sum, call) => sum + call.images, used.images),
    }
  }

  /** Within one second there is next to nothing to tidy, and looking for it is half the work of a reservation. */
  #isTidy(keyId: string, nowMs: number): boolean {
    const last = this.#tidiedMs.get(keyId)
    return last !== undefined && nowMs >= last && secondOf(nowMs) === secondOf(last)
  }

  #noteTidy(keyId: string, nowMs: number): void {
    if (this.#tidiedMs.size >= maxTidiedKeys) this.#tidiedMs.clear()
    this.#tidiedMs.set(keyId, nowMs)
  }

  #followClock(keyId: string, nowMs: number): void {
    this.#sql.all(
      'UPDATE calls SET admitted_ms = ? WHERE key_id = ? AND admitted_ms > ?',
      nowMs,
      keyId,
      nowMs,
    )
    const ahead = this.#sql.all<{ requests: number; tokens: number }>(
      'DELETE FROM seconds WHERE key_id = ? AND second > ? RETURNING requests, tokens',
      keyId,
      secondOf(nowMs),
    )
    for (const { requests, tokens } of ahead) {
      this.#count(keyId, secondOf(nowMs), requests, tokens)
    }
  }

  #expire(keyId: string, nowMs: number): void {
    this.#sql.all(
      'DELETE FROM seconds WHERE key_id = ? AND second <= ?',
      keyId,
      lastSecondOutside(nowMs),
    )
    const lost = this.#sql.all<{ day: string }>(
      `UPDATE calls SET expired_ms = ?
       WHERE key_id = ? AND expired_ms IS NULL AND admitted_ms + lease_ms <= ? RETURNING day`,
      nowMs,
      keyId,
      nowMs,
    )
    for (const { day } of lost) this.#ledger.add(keyId, day, lostCall)
    this.#sql.all('DELETE FROM calls WHERE key_id = ? AND expired_ms <= ?', keyId, nowMs - lateMs)
  }

  #count(keyId: string, second: number, requests: number, tokens: number): void {
    this.#sql.all(
      `INSERT INTO seconds (key_id, second, requests, tokens) VALUES (?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET requests = requests + excluded.requests, tokens = tokens + excluded.tokens`,
      keyId,
      second,
      requests,
      tokens,
    )
  }
}

/** Enough to judge by when nothing is limited. */
const nothingCounted: Counts = {
  requests: [],
  tokens: [],
  running: 0,
  tokensToday: 0,
  imagesToday: 0,
}

function hasWindow(limits: KeyLimits): boolean {
  return limits.requestsPerMinute !== undefined || limits.tokensPerMinute !== undefined
}
