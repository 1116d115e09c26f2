import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Usage } from '../../shared/api/events.ts'
import type { KeyLimits } from '../keys/key-record.ts'
import { openSqlite, type SqliteFile } from '../node/stores/sqlite.ts'
import type { Sql } from '../storage/sql.ts'
import { KeyMeter } from './key-meter.ts'
import type { Demand, Settlement } from './meter.ts'

const noon = Date.UTC(2026, 10, 22, 12)
const today = { from: '2026-11-22', to: '2026-11-22' }
const demand: Demand = { tokens: { least: 1, most: 100 }, images: { least: 0, most: 2 } }
const usage: Usage = { prompt_tokens: 30, image_tokens: 20, completion_tokens: 7 }
const answered = (callId: string, images = 1): Settlement => {
  return { callId, ending: 'answered', usage, images, ms: 250 }
}

let folder: string
let sql: SqliteFile
let meter: KeyMeter
let calls: number
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'meter-'))
  sql = openSqlite(folder, 'meter')
  meter = new KeyMeter(sql)
  calls = 0
})
afterEach(() => {
  sql.close()
  rmSync(folder, { recursive: true })
})

/** @returns the id of the call, or undefined when it was refused */
function reserve(
  limits: KeyLimits,
  nowMs: number,
  keyId = 'a',
  wanted = demand,
): string | undefined {
  const callId = `call-${(calls += 1)}`
  const request = { callId, limits, demand: wanted, leaseMs: 600_000 }
  return meter.reserve(keyId, request, nowMs).granted ? callId : undefined
}

const rows = (table: string) => sql.all(`SELECT * FROM ${table}`)

describe('KeyMeter', () => {
  it('replaces a reservation by the real usage, once', () => {
    const limits = { tokensPerDay: 150, imagesPerDay: 3 }
    const first = reserve(limits, noon)!
    expect(reserve(limits, noon)).toBeDefined()
    expect(reserve(limits, noon)).toBeUndefined()
    for (let again = 0; again < 2; again += 1) meter.settle('a', answered(first))
    expect(reserve(limits, noon)).toBeDefined()
    expect(meter.usage('a', today)).toEqual([
      {
        key_id: 'a',
        day: '2026-11-22',
        requests: 1,
        errors: 0,
        cancelled: 0,
        images: 1,
        ...usage,
        unfinished_tokens: 0,
        seconds: 0.25,
      },
    ])
  })

  it('refunds failed and cancelled calls down to what they had used', () => {
    const limits = { tokensPerMinute: 100, tokensPerDay: 100, concurrentRequests: 1 }
    const failed = reserve(limits, noon)!
    expect(reserve(limits, noon)).toBeUndefined()
    const nothing = { usage: undefined, images: 0, ms: 1 }
    meter.settle('a', { callId: failed, ending: 'failed', ...nothing })
    const cancelled = reserve(limits, noon)!
    meter.settle('a', { callId: cancelled, ending: 'cancelled', usage, images: 0, ms: 1 })
    expect(meter.usage('a', today)).toMatchObject([
      { requests: 2, errors: 1, cancelled: 1, prompt_tokens: 0, unfinished_tokens: 37 },
    ])
    const last = meter.reserve('a', { callId: 'x', limits, demand, leaseMs: 1 }, noon)
    expect(last).toMatchObject({ granted: true, standings: [{}, { remaining: 0 }, {}] })
    expect(sql.all('SELECT tokens FROM calls')).toEqual([{ tokens: 63 }])
  })

  it('counts each key by itself', () => {
    const limits = { requestsPerMinute: 1 }
    expect(reserve(limits, noon, 'a')).toBeDefined()
    expect(reserve(limits, noon, 'b')).toBeDefined()
    expect(reserve(limits, noon, 'a')).toBeUndefined()
  })

  it('never grants more than the limit in any 60 seconds, and a waited-for Retry-After holds', () => {
    const random = generator(7)
    const limits = { requestsPerMinute: 20 }
    const granted: number[] = []
    const waited: (string | undefined)[] = []
    let now = noon
    for (let step = 0; step < 1_500; step += 1) {
      now += Math.floor(random() * (random() < 0.02 ? 70_000 : 3_000))
      const decision = meter.reserve('a', { callId: `c${step}`, limits, demand, leaseMs: 5 }, now)
      if (decision.granted) granted.push(now)
      else if (random() < 0.2) {
        const wait = decision.refusal.waitMs!
        now += wait
        waited.push(reserve(limits, now))
        granted.push(now)
      }
    }
    granted.forEach((at, index) => {
      expect(granted.filter((other) => other > at - 60_000 && other <= at).length).toBeLessThan(21)
      if (index < 20) return
      expect(at - granted[index - 20]!).toBeGreaterThan(60_000)
    })
    expect(granted.length).toBeGreaterThan(400)
    expect(waited.length).toBeGreaterThan(50)
    expect(waited).not.toContain(undefined)
  })

  it('keeps the tokens of parallel calls within their limit, whatever the order of their ends', () => {
    const random = generator(11)
    const limits = { tokensPerMinute: 700, concurrentRequests: 9 }
    const running: string[] = []
    const used: { at: number; tokens: number }[] = []
    const admitted = new Map<string, number>()
    let now = noon
    let answers = 0
    for (let step = 0; step < 2_000; step += 1) {
      now += Math.floor(random() * 1_500)
      const callId = reserve(limits, now, 'a', { ...demand, tokens: { least: 37, most: 100 } })
      if (callId !== undefined) {
        running.push(callId)
        admitted.set(callId, now)
      }
      while (running.length > 0 && random() < 0.5) {
        const [ended] = running.splice(Math.floor(random() * running.length), 1)
        meter.settle('a', answered(ended!))
        used.push({ at: admitted.get(ended!)!, tokens: 37 })
        answers += 1
      }
      const lately = used.filter(({ at }) => at > now - 60_000)
      expect(lately.reduce((sum, { tokens }) => sum + tokens, 0)).toBeLessThan(701)
      expect(running.length).toBeLessThan(10)
    }
    for (const callId of running) meter.settle('a', answered(callId))
    answers += running.length
    expect(rows('calls')).toEqual([])
    expect(rows('seconds').length).toBeLessThan(62)
    expect(meter.usage('a', { from: '2026-11-22', to: '2026-11-23' })).toMatchObject([
      { requests: answers, prompt_tokens: answers * 30, completion_tokens: answers * 7 },
    ])
  })

  it('begins a new day at midnight UTC; a call belongs to the day it was admitted in', () => {
    const limits = { tokensPerDay: 100 }
    const midnight = Date.UTC(2026, 10, 23)
    const late = reserve(limits, midnight - 1)!
    expect(reserve(limits, midnight - 1)).toBeUndefined()
    const early = reserve(limits, midnight)!
    meter.settle('a', answered(late))
    meter.settle('a', answered(early))
    expect(meter.usage('a', { from: '2026-11-01', to: '2026-11-30' })).toMatchObject([
      { day: '2026-11-22', requests: 1, prompt_tokens: 30 },
      { day: '2026-11-23', requests: 1, prompt_tokens: 30 },
    ])
    expect(meter.usage('a', { from: '2026-11-23', to: '2026-11-23' })).toHaveLength(1)
  })

  it('gives up calls that outlive their lease, and puts a late settlement right', () => {
    const limits = { concurrentRequests: 1 }
    const lost = reserve(limits, noon)!
    expect(reserve(limits, noon + 599_999)).toBeUndefined()
    const next = reserve(limits, noon + 600_000)!
    expect(meter.usage('a', today)).toMatchObject([{ requests: 1, errors: 1 }])
    meter.settle('a', answered(lost))
    meter.settle('a', answered(lost))
    meter.settle('a', answered(next))
    expect(meter.usage('a', today)).toMatchObject([
      { requests: 2, errors: 0, prompt_tokens: 60, completion_tokens: 14 },
    ])
    expect(rows('calls')).toEqual([])
  })

  it('forgets a call a day after it was given up', () => {
    const lost = reserve({}, noon)!
    reserve({}, noon + 600_000)
    reserve({}, noon + 600_000 + 86_400_000)
    expect(sql.all('SELECT call_id FROM calls WHERE call_id = ?', lost)).toEqual([])
  })

  it('frees the slots of a crashed process when the next one starts, and of no other', () => {
    const limits = { concurrentRequests: 2 }
    const request = { limits, demand, leaseMs: 600_000 }
    const [crashed, alive] = [new KeyMeter(sql, 'crashed'), new KeyMeter(sql, 'alive')]
    crashed.reserve('a', { ...request, callId: '1' }, noon)
    alive.reserve('a', { ...request, callId: '2' }, noon)
    expect(reserve(limits, noon)).toBeUndefined()
    meter.abandonCalls((owner) => owner === 'crashed', noon)
    expect(reserve(limits, noon)).toBeDefined()
    expect(reserve(limits, noon)).toBeUndefined()
    expect(meter.usage('a', today)).toMatchObject([{ requests: 1, errors: 1 }])
  })

  it('does not lock a key out when the clock is set back, nor double its limits', () => {
    const limits = { requestsPerMinute: 2, concurrentRequests: 2 }
    for (let index = 0; index < 2; index += 1) reserve(limits, noon + 3_600_000)
    expect(reserve(limits, noon)).toBeUndefined()
    expect(meter.reserve('a', { callId: 'x', limits, demand, leaseMs: 1 }, noon)).toMatchObject({
      refusal: { name: 'requestsPerMinute', waitMs: 61_000 },
    })
    meter.settle('a', answered('call-1'))
    expect(reserve(limits, noon + 60_999)).toBeUndefined()
    expect(reserve(limits, noon + 61_000)).toBeDefined()
    expect(reserve(limits, noon + 600_000)).toBeDefined()
  })

  it('survives a clock that jumps ahead and back: no call is lost or counted twice', () => {
    const limits = { requestsPerMinute: 5, concurrentRequests: 5 }
    const ids = [
      reserve(limits, noon),
      reserve(limits, noon + 30 * 86_400_000),
      reserve(limits, noon),
    ]
    for (const id of ids) meter.settle('a', answered(id!))
    const days = meter.usage('a', { from: '2026-01-01', to: '2027-01-01' })
    expect(days.map(({ day, requests, errors }) => [day, requests, errors])).toEqual([
      ['2026-11-22', 2, 0],
      ['2026-12-22', 1, 0],
    ])
    expect(rows('calls')).toEqual([])
  })

  it('leaves nothing half-done when the store fails in the middle', () => {
    let failAt = Infinity
    let statements = 0
    const failing: Sql = {
      all(query, ...parameters) {
        statements += 1
        if (statements >= failAt) throw new Error('disk full')
        return sql.all(query, ...parameters)
      },
      transaction: (action) => sql.transaction(action),
    }
    const fragile = new KeyMeter(failing)
    const limits = { requestsPerMinute: 5, tokensPerDay: 500 }
    const request = { callId: 'kept', limits, demand, leaseMs: 10_000 }
    fragile.reserve('a', request, noon)
    const attempts = [
      () => void fragile.reserve('a', { ...request, callId: 'new' }, noon + 2_000),
      () => fragile.settle('a', answered('new')),
      () => fragile.abandonCalls(() => true, noon),
    ]
    const state = () => [rows('calls'), rows('seconds'), rows('days')]
    for (const attempt of attempts) {
      const before = state()
      for (let nth = 1; ; nth += 1) {
        failAt = statements + nth
        if (succeeds(attempt)) break
        expect(state()).toEqual(before)
      }
      failAt = Infinity
      expect(state()).not.toEqual(before)
    }
    fragile.settle('a', answered('kept'))
  })
})

/** False if the store failed. */
function succeeds(attempt: () => void): boolean {
  try {
    attempt()
    return true
  } catch (error) {
    if ((error as Error).message !== 'disk full') throw error
    return false
  }
}

/** Repeatable numbers in [0, 1): a linear congruential generator. */
function generator(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 4_294_967_296
    return state / 4_294_967_296
  }
}

describe('check()', () => {
  it('finds a database that is read but cannot be written to, and changes nothing that is counted', () => {
    meter.check(noon)
    meter.check(noon + 1)
    expect(meter.usage('a', today)).toEqual([])
    sql.all('PRAGMA query_only = ON')
    expect(meter.usage('a', today)).toEqual([])
    expect(() => meter.check(noon + 2)).toThrow('readonly')
  })
})
