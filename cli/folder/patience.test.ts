import { describe, expect, it } from 'vitest'
import { Refusal } from './ask-picture.ts'
import { patienceMs, withPatience } from './patience.ts'

/** Fails with these errors in turn, then answers; a clock that waiting moves on. */
function asking(errors: readonly Refusal[], forever?: Refusal) {
  let ms = 0
  const waits: number[] = []
  const left = [...errors]
  const answer = withPatience(
    async () => {
      const error = left.shift() ?? forever
      if (error !== undefined) throw error
      return 'answer'
    },
    {
      now: () => ms,
      wait: async (more) => {
        waits.push(more)
        ms += more
      },
      onWait: () => undefined,
    },
  )
  return { answer, waits, elapsedMs: () => ms }
}

describe('withPatience()', () => {
  it('waits longer each time, and as long as the server asks for', async () => {
    const loading = new Refusal('model_loading', 'loading', { retryAfterSeconds: 0 })
    const limited = new Refusal('rate_limited', 'too many', { retryAfterSeconds: 60 })
    const { answer, waits } = asking([loading, loading, limited, loading])
    expect(await answer).toBe('answer')
    expect(waits).toEqual([1_000, 2_000, 60_000, 8_000])
  })

  it('gives up after its time', async () => {
    const lost = new Refusal('backend_unavailable', 'lost')
    const { answer, elapsedMs } = asking([], lost)
    await expect(answer).rejects.toBe(lost)
    expect(elapsedMs()).toBeGreaterThan(patienceMs)
  })

  it.each([
    'invalid_image',
    'invalid_api_key',
    'quota_exceeded',
    'internal',
    'deadline_exceeded',
  ] as const)('does not try again after %s', async (code) => {
    const refusal = new Refusal(code, 'no')
    const { answer, waits } = asking([refusal])
    await expect(answer).rejects.toBe(refusal)
    expect(waits).toEqual([])
  })
})
