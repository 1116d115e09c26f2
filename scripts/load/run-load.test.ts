import { describe, expect, it } from 'vitest'
import { runLoad, type Clock } from './run-load.ts'

/** A clock on which each sleep takes its time at once. */
function fakeClock(): Clock & { atMs: number } {
  const clock = {
    atMs: 0,
    now: () => clock.atMs,
    sleep(ms: number) {
      clock.atMs += ms
      return Promise.resolve()
    },
  }
  return clock
}

const never = new AbortController().signal
const closed = { requests: 10, concurrency: 3, ratePerSecond: undefined }

describe('runLoad()', () => {
  it('sends each request once, and no more at a time than allowed', async () => {
    let running = 0
    let most = 0
    const send = async (n: number) => {
      running += 1
      most = Math.max(most, running)
      await new Promise(setImmediate)
      running -= 1
      return n
    }
    const sent = await runLoad(closed, send, fakeClock(), never)
    expect(sent.toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    expect(most).toBe(3)
  })

  it('keeps the pace of an open loop while answers take long', async () => {
    const clock = fakeClock()
    const send = (_n: number, dueAtMs: number) => {
      // Each takes longer than the pause between two.
      clock.atMs += 700
      return Promise.resolve(dueAtMs)
    }
    const schedule = { requests: 4, concurrency: 1, ratePerSecond: 2 }
    expect(await runLoad(schedule, send, clock, never)).toEqual([0, 500, 1_000, 1_500])
  })

  it('sends nothing more once it is ended', async () => {
    const run = new AbortController()
    const send = (n: number) => {
      if (n === 4) run.abort()
      return Promise.resolve(n)
    }
    const results = await runLoad({ ...closed, concurrency: 1 }, send, fakeClock(), run.signal)
    expect(results).toEqual([1, 2, 3, 4])
  })
})
