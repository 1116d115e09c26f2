import { describe, expect, it } from 'vitest'
import type { EngineSnapshot } from '../engine/job.ts'
import type { ToParent } from './protocol.ts'
import { tickMs, Watchdog } from './watchdog.ts'

const limits = { loadingMs: 60_000, servingMs: 6_000, idleMs: 10_000 }
const ready: ToParent = { type: 'ready', snapshot: {} as EngineSnapshot }
const progress: ToParent = { type: 'progress', text: 'converting weights: 10 %' }

/** A watchdog and its clock, which starts anywhere. */
function watch(...heard: readonly ToParent[]) {
  const clock = { ms: 123_456 }
  const watchdog = new Watchdog(clock.ms, limits)
  for (const message of heard) watchdog.heard(message)
  /** @returns milliseconds until it called the process hung, if it did within `ms` */
  const silence = (ms: number, work?: () => number) => {
    for (let passed = tickMs; passed <= ms; passed += tickMs) {
      clock.ms += tickMs
      if (watchdog.tick(clock.ms, work?.()) !== undefined) return passed
    }
    return undefined
  }
  return { watchdog, silence, clock }
}

describe('a watchdog', () => {
  it('calls a serving process hung that does not answer pings', () => {
    const { watchdog, silence } = watch(ready)
    expect(watchdog.answersPings).toBe(true)
    expect(silence(60_000)).toBe(7_000)
  })

  it('is content as long as anything is heard', () => {
    const { watchdog, silence } = watch(ready)
    const messages: ToParent[] = [
      { type: 'pong' },
      { type: 'update', jobs: [], snapshot: undefined },
    ]
    for (let round = 0; round < 20; round++) {
      expect(silence(5_000)).toBeUndefined()
      watchdog.heard(messages[round % 2]!)
    }
  })

  it('waits as long as an announced call may take, and then as ever', () => {
    const { watchdog, silence } = watch(ready, { type: 'busy', boundMs: 30_000 })
    expect(silence(30_000)).toBeUndefined()
    watchdog.heard({ type: 'pong' })
    expect(silence(60_000)).toBe(7_000)
  })

  it('does not wait for an announced call in which nothing is done', () => {
    const { watchdog, silence } = watch(ready, { type: 'busy', boundMs: 300_000 })
    expect(silence(60_000, () => 17)).toBe(12_000)
    watchdog.heard({ type: 'busy', boundMs: 300_000 })
    expect(silence(5_000, () => 17)).toBeUndefined()
    expect(silence(1_000, () => 18)).toBeUndefined()
    expect(silence(60_000, () => 18)).toBe(11_000)
  })

  it('waits for one that works', () => {
    let work = 0
    const { silence } = watch(ready, { type: 'busy', boundMs: 300_000 })
    expect(silence(300_000, () => (work += 1))).toBeUndefined()
    expect(silence(1_000, () => (work += 1))).toBe(1_000)
  })

  it('is never less patient for an announced call than without', () => {
    const { silence } = watch(ready, { type: 'busy', boundMs: 10 })
    expect(silence(6_000)).toBeUndefined()
  })

  it('lets a model load as long as there is progress, and asks nothing meanwhile', () => {
    const { watchdog, silence } = watch()
    expect(watchdog.answersPings).toBe(false)
    for (let tenth = 0; tenth < 10; tenth++) {
      expect(silence(59_000)).toBeUndefined()
      watchdog.heard(progress)
    }
    expect(silence(120_000)).toBe(61_000)
  })

  it('takes nothing but progress for progress while it loads', () => {
    const { watchdog, silence } = watch()
    expect(silence(50_000)).toBeUndefined()
    watchdog.heard({ type: 'problem', text: 'a warning' })
    expect(silence(50_000)).toBe(11_000)
  })

  it('does not blame the process for time in which it did not run itself', () => {
    const { watchdog, clock } = watch(ready)
    clock.ms += 3_600_000
    expect(watchdog.tick(clock.ms)).toBeUndefined()
    watchdog.heard({ type: 'pong' })
    clock.ms += tickMs
    expect(watchdog.tick(clock.ms)).toBeUndefined()
  })
})
