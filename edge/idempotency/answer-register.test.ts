import { describe, expect, it } from 'vitest'
import { testSqlite } from '../../test/support/edges/test-keys.ts'
import type { Sql, SqlValue } from '../storage/sql.ts'
import { AnswerRegister, keptMs, maxScopeBytes } from './answer-register.ts'
import type { Claim, Outcome } from './idempotency-store.ts'

const claim: Claim = { scope: 'key-1', key: 'order-7', fingerprint: 'f1', leaseMs: 60_000 }
const answer = { contentType: 'application/json', body: '{"output":"A cat."}' }
const answered: Outcome = { kind: 'answered', answer }

function createRegister(sql: Sql = testSqlite()) {
  const clock = { ms: 1_000 }
  const register = new AnswerRegister(sql, () => clock.ms, 'this process')
  const run = (parts: Partial<Claim> = {}) => {
    const reply = register.claim({ ...claim, ...parts })
    if (reply.kind !== 'run') throw new Error(`It was to run, and is ${reply.kind}`)
    return reply.run
  }
  return { register, clock, run }
}

describe('AnswerRegister', () => {
  it('lets the first one run, the others wait, and gives all of them its answer', () => {
    const { register, run } = createRegister()
    const first = run()
    expect(register.claim(claim)).toEqual({ kind: 'running' })
    register.settle(claim, first, answered)
    expect(register.claim(claim)).toEqual({ kind: 'answered', answer })
  })

  it('recognises a different request with the same key, at any time', () => {
    const { register, run } = createRegister()
    const first = run()
    const other = { ...claim, fingerprint: 'f2' }
    expect(register.claim(other)).toEqual({ kind: 'conflict' })
    register.settle(claim, first, answered)
    expect(register.claim(other)).toEqual({ kind: 'conflict' })
  })

  it('keeps the keys of one client apart from those of another', () => {
    const { run } = createRegister()
    const first = run()
    expect(run({ scope: 'key-2', fingerprint: 'f2' })).not.toBe(first)
  })

  it('lets it run anew after a failure', () => {
    const { register, run } = createRegister()
    register.settle(claim, run(), { kind: 'failed' })
    expect(register.claim(claim).kind).toBe('run')
  })

  it('forgets an answer after its time', () => {
    const { register, clock, run } = createRegister()
    register.settle(claim, run(), answered)
    clock.ms += keptMs - 1
    expect(register.claim(claim).kind).toBe('answered')
    clock.ms += 1
    run()
  })

  it('gives up a run that reports no outcome, and does not trust it afterwards', () => {
    const { register, clock, run } = createRegister()
    const lost = run()
    clock.ms += claim.leaseMs
    const second = run()
    register.settle(claim, lost, answered)
    expect(register.claim(claim)).toEqual({ kind: 'running' })
    register.settle(claim, second, { kind: 'answered', answer: { ...answer, body: '{}' } })
    expect(register.claim(claim)).toMatchObject({ answer: { body: '{}' } })
  })

  it('forgets the runs of a process that is gone, not their answers', () => {
    const { register, run } = createRegister()
    register.settle(claim, run(), answered)
    run({ key: 'order-8' })
    register.abandonRuns((owner) => owner !== 'this process')
    expect(register.claim({ ...claim, key: 'order-8' }).kind).toBe('running')
    register.abandonRuns((owner) => owner === 'this process')
    expect(register.claim(claim).kind).toBe('answered')
    run({ key: 'order-8' })
  })

  it('remembers a run whose answer was too long to be kept', () => {
    const { register, run } = createRegister()
    register.settle(claim, run(), { kind: 'too_long' })
    expect(register.claim(claim)).toEqual({ kind: 'too_long' })
    expect(register.claim({ ...claim, fingerprint: 'f2' })).toEqual({ kind: 'conflict' })
  })

  it('keeps 10,000 of a key at most, the oldest go first, and another key keeps its own', () => {
    const { register, run } = createRegister()
    register.settle({ ...claim, scope: 'key-2' }, run({ scope: 'key-2' }), answered)
    const keys = Array.from({ length: 10_001 }, (_, index) => `order-${index}`)
    for (const key of keys) register.settle({ ...claim, key }, run({ key }), answered)
    expect(register.claim({ ...claim, key: 'order-1' }).kind).toBe('answered')
    run({ key: 'order-0' })
    expect(register.claim({ ...claim, scope: 'key-2' }).kind).toBe('answered')
  })

  it('keeps so many bytes of a key at most, as UTF-8 has them', () => {
    const { register, run } = createRegister()
    // Three bytes and one UTF-16 unit each.
    const body = '\u20ac'.repeat(1_000_000)
    const count = Math.floor(maxScopeBytes / 3_000_000)
    const keys = Array.from({ length: count + 1 }, (_, index) => `order-${index}`)
    for (const key of keys) {
      const outcome: Outcome = { kind: 'answered', answer: { ...answer, body } }
      register.settle({ ...claim, key }, run({ key }), outcome)
    }
    expect(register.claim({ ...claim, key: 'order-1' }).kind).toBe('answered')
    run({ key: 'order-0' })
  })

  it('forgets one key on demand, a part at a time', () => {
    const { register, run } = createRegister()
    const keys = Array.from({ length: 40 }, (_, index) => `order-${index}`)
    for (const key of keys) register.settle({ ...claim, key }, run({ key }), answered)
    register.settle({ ...claim, scope: 'key-2' }, run({ scope: 'key-2' }), answered)
    const running = run({ key: 'order-40' })
    let parts = 1
    while (register.forget(claim.scope)) parts += 1
    expect(parts).toBeGreaterThan(1)
    for (const key of keys) run({ key })
    expect(register.claim({ ...claim, scope: 'key-2' }).kind).toBe('answered')
    // A run of the key that was in progress leaves nothing behind either.
    register.settle({ ...claim, key: 'order-40' }, running, answered)
    run({ key: 'order-40' })
  })

  it('removes what has expired, regardless of its owner, and reports when that happens', () => {
    const { register, clock, run } = createRegister()
    expect(register.nextExpiry()).toBeUndefined()
    for (const scope of ['key-1', 'key-2', 'key-3']) {
      register.settle({ ...claim, scope }, run({ scope }), answered)
      clock.ms += 1_000
    }
    expect(register.nextExpiry()).toBe(1_000 + keptMs)
    clock.ms = 2_000 + keptMs
    expect(register.removeExpired()).toBe(false)
    expect(register.nextExpiry()).toBe(3_000 + keptMs)
  })

  it('never searches: what a call costs does not depend on what is kept', () => {
    const sqlite = testSqlite()
    const queries = new Set<string>()
    const watched: Sql = {
      ...sqlite,
      all<Row extends Record<string, SqlValue>>(query: string, ...parameters: SqlValue[]): Row[] {
        queries.add(query)
        return sqlite.all<Row>(query, ...parameters)
      },
    }
    const { register, clock, run } = createRegister(watched)
    queries.clear()
    const long: Outcome = { kind: 'answered', answer: { ...answer, body: 'x'.repeat(1_000_000) } }
    for (let order = 0; order < 70; order += 1) {
      const key = `order-${order}`
      register.settle({ ...claim, key }, run({ key }), order === 5 ? { kind: 'failed' } : long)
    }
    clock.ms += keptMs
    run({ key: 'order-69' })
    register.removeExpired()
    register.forget(claim.scope)
    register.nextExpiry()
    expect(queries.size).toBeGreaterThan(8)
    for (const query of queries) {
      const unknown = Array.from(query.matchAll(/\?/g), () => null)
      const plan = sqlite.all<{ detail: string }>(`EXPLAIN QUERY PLAN ${query}`, ...unknown)
      expect([query, plan.filter(({ detail }) => /^SCAN (?!CONSTANT)/.test(detail))]).toEqual([
        query,
        [],
      ])
    }
  })

  it('goes on with a file of an earlier version', () => {
    const sqlite = testSqlite()
    sqlite.all(`CREATE TABLE answers
      (position INTEGER PRIMARY KEY AUTOINCREMENT, scope TEXT NOT NULL, key TEXT NOT NULL,
       fingerprint TEXT NOT NULL, run TEXT NOT NULL, owner TEXT NOT NULL, expires_at INTEGER NOT NULL,
       content_type TEXT, body TEXT, chars INTEGER NOT NULL DEFAULT 0, UNIQUE (scope, key))`)
    sqlite.all('CREATE INDEX answers_by_expiry ON answers (expires_at)')
    const insert = `INSERT INTO answers (scope, key, fingerprint, run, owner, expires_at, content_type, body, chars)
      VALUES (?, ?, 'f1', 'r', '', 1000000, 'application/json', ?, ?)`
    const body = 'x'.repeat(1_000_000)
    for (let order = 0; order < 64; order += 1) {
      sqlite.all(insert, 'key-1', `order-${order}`, body, body.length)
    }
    const { register, run } = createRegister(sqlite)
    expect(register.claim({ ...claim, key: 'order-0' })).toMatchObject({ answer: { body } })
    register.settle({ ...claim, key: 'new' }, run({ key: 'new' }), answered)
    // 64 MB were there already, so that the oldest had to go.
    run({ key: 'order-0' })
    expect(register.claim({ ...claim, key: 'order-1' }).kind).toBe('answered')
    expect(createRegister(sqlite).register.claim({ ...claim, key: 'new' }).kind).toBe('answered')
  })
})
