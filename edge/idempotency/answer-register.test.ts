import { describe, expect, it } from 'vitest'
import { testSqlite } from '../../test/support/test-keys.ts'
import { AnswerRegister, keptMs, maxAnswers } from './answer-register.ts'
import type { Claim } from './idempotency-store.ts'

const claim: Claim = { scope: 'key-1', key: 'order-7', fingerprint: 'f1', leaseMs: 60_000 }
const answer = { contentType: 'application/json', body: '{"output":"A cat."}' }

function createRegister() {
  const clock = { ms: 1_000 }
  const register = new AnswerRegister(testSqlite(), () => clock.ms, 'this process')
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
    register.settle(claim, first, answer)
    expect(register.claim(claim)).toEqual({ kind: 'answered', answer })
  })

  it('tells another request with the same key apart, at any time', () => {
    const { register, run } = createRegister()
    const first = run()
    const other = { ...claim, fingerprint: 'f2' }
    expect(register.claim(other)).toEqual({ kind: 'conflict' })
    register.settle(claim, first, answer)
    expect(register.claim(other)).toEqual({ kind: 'conflict' })
  })

  it('keeps the keys of one client apart from those of another', () => {
    const { run } = createRegister()
    const first = run()
    expect(run({ scope: 'key-2', fingerprint: 'f2' })).not.toBe(first)
  })

  it('lets it run anew after a failure', () => {
    const { register, run } = createRegister()
    register.settle(claim, run(), undefined)
    expect(register.claim(claim).kind).toBe('run')
  })

  it('forgets an answer after its time', () => {
    const { register, clock, run } = createRegister()
    register.settle(claim, run(), answer)
    clock.ms += keptMs - 1
    expect(register.claim(claim).kind).toBe('answered')
    clock.ms += 1
    run()
  })

  it('gives up a run that tells no outcome, and does not believe it afterwards', () => {
    const { register, clock, run } = createRegister()
    const lost = run()
    clock.ms += claim.leaseMs
    const second = run()
    register.settle(claim, lost, answer)
    expect(register.claim(claim)).toEqual({ kind: 'running' })
    register.settle(claim, second, { ...answer, body: '{}' })
    expect(register.claim(claim)).toMatchObject({ answer: { body: '{}' } })
  })

  it('forgets the runs of a process that is gone, not their answers', () => {
    const { register, run } = createRegister()
    register.settle(claim, run(), answer)
    run({ key: 'order-8' })
    register.abandonRuns((owner) => owner !== 'this process')
    expect(register.claim({ ...claim, key: 'order-8' }).kind).toBe('running')
    register.abandonRuns((owner) => owner === 'this process')
    expect(register.claim(claim).kind).toBe('answered')
    run({ key: 'order-8' })
  })

  it('keeps no more than it may, the oldest go first', () => {
    const { register, run } = createRegister()
    const keys = Array.from({ length: maxAnswers + 1 }, (_, index) => `order-${index}`)
    for (const key of keys) register.settle({ ...claim, key }, run({ key }), answer)
    expect(register.claim({ ...claim, key: 'order-1' }).kind).toBe('answered')
    run({ key: 'order-0' })
  })
})
