import { describe, expect, it } from 'vitest'
import { admit, answerTokensOf, tokenLimitOf, type QueueCounts } from './admission.ts'

describe('tokenLimitOf()', () => {
  const counts = { promptTokens: 100, maxTokens: 50, contextTokens: 1_000 }

  it('grants max_tokens, or what is left of the context', () => {
    expect(tokenLimitOf(counts)).toBe(50)
    expect(tokenLimitOf({ ...counts, promptTokens: 990 })).toBe(10)
    expect(tokenLimitOf({ ...counts, promptTokens: 999 })).toBe(1)
  })

  it.each([1_000, 1_001])('refuses a prompt of %d tokens in a context of 1,000', (promptTokens) => {
    expect(() => tokenLimitOf({ ...counts, promptTokens })).toThrow(
      expect.objectContaining({ code: 'context_length_exceeded', param: 'prompt' }),
    )
  })
})

describe('answerTokensOf()', () => {
  it('is what the prompt leaves of the grant', () => {
    expect(answerTokensOf(100, 150)).toBe(50)
    expect(answerTokensOf(100, 101)).toBe(1)
    expect(answerTokensOf(100)).toBe(Infinity)
  })

  it.each([100, 99, 0])('refuses a prompt of 100 tokens when %d are granted', (granted) => {
    expect(() => answerTokensOf(100, granted)).toThrow(
      expect.objectContaining({
        code: 'quota_exceeded',
        message: expect.stringMatching(new RegExp(`100 tokens: ${granted} tokens`)) as string,
      }),
    )
  })
})

describe('admit()', () => {
  const counts: QueueCounts = {
    waiting: 1,
    waitingWork: 100,
    waitingOfTenant: 1,
    freeSlots: 0,
    queueLimit: 3,
    queueWorkLimit: 1_000,
    work: 100,
  }
  /** Ten units of work a second. */
  const secondsFor = (work: number) => work / 10
  const refusal = (changes: Partial<QueueCounts>) => {
    try {
      admit({ ...counts, ...changes }, secondsFor)
    } catch (error) {
      return error as Error
    }
    return undefined
  }

  it('refuses when as many wait as may, and names the limit', () => {
    expect(refusal({ waiting: 2 })).toBeUndefined()
    expect(refusal({ waiting: 3 })).toMatchObject({
      code: 'queue_full',
      message: expect.stringContaining('limit of 3') as string,
    })
  })

  it('does not count those that a free slot awaits', () => {
    expect(refusal({ waiting: 4, freeSlots: 2 })).toBeUndefined()
    expect(refusal({ waiting: 5, freeSlots: 2 })).toMatchObject({ code: 'queue_full' })
  })

  it('takes jobs that start at once when nothing may wait', () => {
    expect(refusal({ queueLimit: 0, waiting: 1, freeSlots: 2 })).toBeUndefined()
    expect(refusal({ queueLimit: 0, waiting: 2, freeSlots: 2 })).toMatchObject({
      message: expect.stringContaining('limit of 0') as string,
    })
    expect(refusal({ queueLimit: 0, waiting: 0, waitingOfTenant: 0 })).toBeDefined()
  })

  it('refuses when the work would be too much, and names both amounts', () => {
    expect(refusal({ waitingWork: 900 })).toBeUndefined()
    expect(refusal({ waitingWork: 901 })).toMatchObject({
      code: 'queue_full',
      message: expect.stringMatching(/work of 100 .* limit of 1000/) as string,
    })
  })

  it('takes any job that fits the context when nothing waits', () => {
    expect(refusal({ waiting: 0, waitingWork: 0, work: 5_000 })).toBeUndefined()
  })

  it('keeps a place for a tenant that has nothing waiting, up to twice the limit', () => {
    const full = { waiting: 3, waitingWork: 990 }
    expect(refusal(full)).toBeDefined()
    expect(refusal({ ...full, waitingOfTenant: 0 })).toBeUndefined()
    expect(refusal({ ...full, waitingOfTenant: 0, waiting: 5 })).toBeUndefined()
    expect(refusal({ ...full, waitingOfTenant: 0, waiting: 6 })).toBeDefined()
  })

  it('suggests a retry when one job will have left the queue', () => {
    expect(refusal({ waiting: 3, waitingWork: 90 })).toMatchObject({ retryAfterSeconds: 3 })
    expect(refusal({ waiting: 4, waitingWork: 422 })).toMatchObject({ retryAfterSeconds: 11 })
  })

  it('suggests a retry when the excess work will be done', () => {
    expect(refusal({ waitingWork: 950 })).toMatchObject({ retryAfterSeconds: 5 })
  })

  it('suggests at least one second and at most two minutes', () => {
    expect(refusal({ waiting: 3, waitingWork: 3 })).toMatchObject({ retryAfterSeconds: 1 })
    expect(refusal({ waitingWork: 9_000_000 })).toMatchObject({ retryAfterSeconds: 120 })
  })
})
