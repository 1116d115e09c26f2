import { describe, expect, it } from 'vitest'
import { CallTimes, mostCallMs } from './call-times.ts'
import { WorkWatch } from './work-watch.ts'

describe('how long a call may take', () => {
  it('is the most there is before any was measured', () => {
    expect(new CallTimes().boundFor(1)).toBe(mostCallMs)
  })

  it('is ten times the longest of its size', () => {
    const times = new CallTimes()
    times.measured(500, 2_000)
    times.measured(512, 3_000)
    times.measured(1, 150)
    expect(times.boundFor(512)).toBe(30_000)
    expect(times.boundFor(1)).toBe(1_500)
  })

  it('grows with the size where only smaller ones were measured', () => {
    const times = new CallTimes()
    times.measured(1, 1_000)
    expect(times.boundFor(8)).toBe(80_000)
    expect(times.boundFor(512)).toBe(mostCallMs)
    expect(times.boundFor(Infinity)).toBe(mostCallMs)
  })

  it('is that of larger ones where only those were measured: a piece of an image has a least size', () => {
    const times = new CallTimes()
    times.measured(4_000, 7_000)
    expect(times.boundFor(1)).toBe(70_000)
  })

  it('is never less than kernels may take to compile where that size was not measured', () => {
    const times = new CallTimes()
    times.measured(4, 10)
    expect(times.boundFor(4)).toBe(100)
    expect(times.boundFor(1)).toBe(60_000)
    expect(times.boundFor(64)).toBe(60_000)
  })

  it('forgets an exception in time', () => {
    const times = new CallTimes()
    times.measured(1, 20_000)
    expect(times.boundFor(1)).toBe(200_000)
    for (let call = 0; call < 300; call++) times.measured(1, 10)
    expect(times.boundFor(1)).toBeLessThan(1_000)
  })
})

describe('WorkWatch', () => {
  it('reports a call that takes longer than calls of its size did, and the other kind does not count', () => {
    const watch = new WorkWatch()
    watch.callBegins('look', 1, 0)
    watch.callEnded('look', 1, 9_000)
    watch.callBegins('step', 1, 10_000)
    watch.callEnded('step', 1, 10_800)
    expect(watch.callBegins('step', 1, 20_000)).toBe(8_000)
    expect(watch.problem(28_000)).toBeUndefined()
    expect(watch.problem(28_001)).toContain('more than 8000 ms')
    watch.callEnded('step', 1, 28_002)
    expect(watch.problem(28_002)).toBeUndefined()
  })

  it('bears with quick calls for as long as with silence: others may have all cores of the machine', () => {
    const watch = new WorkWatch()
    watch.callBegins('step', 1, 0)
    watch.callEnded('step', 1, 100)
    expect(watch.callBegins('step', 1, 200)).toBe(1_000)
    expect(watch.problem(6_200)).toBeUndefined()
    expect(watch.problem(6_201)).toContain('more than 6000 ms')
  })

  it('learns nothing from a call that failed', () => {
    const watch = new WorkWatch()
    watch.callBegins('step', 1, 0)
    watch.callEnded('step', 0, 1)
    expect(watch.callBegins('step', 1, 2)).toBe(mostCallMs)
  })

  it('reports jobs for which nothing is done', () => {
    const watch = new WorkWatch()
    watch.jobBegins(100_000)
    expect(watch.problem(160_000)).toBeUndefined()
    expect(watch.problem(160_001)).toContain('any of 1 jobs')
    watch.callBegins('step', 1, 160_002)
    watch.callEnded('step', 1, 160_003)
    expect(watch.problem(160_004)).toBeUndefined()
  })

  it('has nothing to report without jobs, however long', () => {
    const watch = new WorkWatch()
    watch.jobBegins(0)
    watch.jobEnded()
    expect(watch.problem(86_400_000)).toBeUndefined()
    watch.jobBegins(86_400_001)
    expect(watch.problem(86_400_002)).toBeUndefined()
  })
})
