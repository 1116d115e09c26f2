import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { sweepAnswers } from './sweep-answers.ts'

beforeEach(() => vi.useFakeTimers({ toFake: ['setInterval'] }))
afterEach(() => vi.useRealTimers())

describe('sweepAnswers()', () => {
  it('removes what has expired at once and every minute, without any request', async () => {
    let expired = 3
    const removeExpired = () => {
      expired = Math.max(0, expired - 1)
      return expired > 0
    }
    sweepAnswers({ removeExpired }, () => undefined)
    await expect.poll(() => expired).toBe(0)
    expired = 5
    await vi.advanceTimersByTimeAsync(60_000)
    await expect.poll(() => expired).toBe(0)
  })

  it('goes on after a failure, which it reports', async () => {
    const problems: unknown[] = []
    let tries = 0
    const removeExpired = () => {
      tries += 1
      throw new Error('disk full')
    }
    sweepAnswers({ removeExpired }, (problem) => problems.push(problem))
    await vi.advanceTimersByTimeAsync(60_000)
    await expect.poll(() => [tries, problems.length]).toEqual([2, 2])
  })
})
