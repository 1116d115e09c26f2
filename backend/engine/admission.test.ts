import { describe, expect, it } from 'vitest'
import { admit } from './admission.ts'

const counts = {
  promptTokens: 100,
  maxTokens: 50,
  contextTokens: 1_000,
  waiting: 0,
  freeSlots: 2,
  queueLimit: 3,
}

describe('admit()', () => {
  it('grants max_tokens, or what is left of the context', () => {
    expect(admit(counts).tokenLimit).toBe(50)
    expect(admit({ ...counts, promptTokens: 990 }).tokenLimit).toBe(10)
    expect(admit({ ...counts, promptTokens: 999 }).tokenLimit).toBe(1)
  })

  it.each([1_000, 1_001])('refuses a prompt of %d tokens in a context of 1,000', (promptTokens) => {
    expect(() => admit({ ...counts, promptTokens })).toThrow(
      expect.objectContaining({ code: 'context_length_exceeded', param: 'prompt' }),
    )
  })

  it('counts only those as before a job that no free slot awaits', () => {
    const positions = [0, 1, 2, 3, 4].map((waiting) => admit({ ...counts, waiting }).position)
    expect(positions).toEqual([0, 0, 0, 1, 2])
  })

  it('refuses when the queue is full, and names the limit', () => {
    const full = expect.objectContaining({
      code: 'queue_full',
      message: expect.stringContaining('3') as string,
    }) as Error
    expect(() => admit({ ...counts, waiting: 5 })).toThrow(full)
    expect(() => admit({ ...counts, waiting: 3, freeSlots: 0 })).toThrow(full)
  })

  it('takes jobs that start at once when nothing may wait', () => {
    expect(admit({ ...counts, queueLimit: 0, waiting: 1 }).position).toBe(0)
    expect(() => admit({ ...counts, queueLimit: 0, waiting: 2 })).toThrow('limit of 0')
  })

  it('tells a prompt that can never fit from a full queue', () => {
    expect(() => admit({ ...counts, promptTokens: 5_000, waiting: 99 })).toThrow('5000 tokens')
  })
})
