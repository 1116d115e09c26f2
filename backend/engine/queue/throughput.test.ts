import { describe, expect, it } from 'vitest'
import { Throughput } from './throughput.ts'

describe('Throughput', () => {
  it('presumes 50 a second, and that estimates are right, before any measurement', () => {
    const throughput = new Throughput()
    expect([throughput.workPerSecond, throughput.actualPerEstimated]).toEqual([50, 1])
    expect(throughput.secondsFor(200)).toBe(4)
  })

  it('measures work per second of working', () => {
    const throughput = new Throughput()
    for (let i = 0; i < 10; i++) throughput.worked(3, 100)
    expect(throughput.workPerSecond).toBeCloseTo(30, 9)
  })

  it('follows a change: after half a minute of working half of it counts', () => {
    const throughput = new Throughput()
    for (let ms = 0; ms < 600_000; ms += 100) throughput.worked(1, 100)
    for (let ms = 0; ms < 30_000; ms += 100) throughput.worked(3, 100)
    expect(throughput.workPerSecond).toBeCloseTo(20, 1)
  })

  it('weighs times by how far estimates have been off', () => {
    const throughput = new Throughput()
    throughput.worked(1_000, 10_000)
    throughput.ended(4_000, 400)
    throughput.ended(1_000, 100)
    expect(throughput.secondsFor(5_000)).toBeCloseTo(5, 6)
  })

  it('takes work that was too quick for the clock', () => {
    const throughput = new Throughput()
    throughput.worked(5, 0)
    expect(throughput.workPerSecond).toBe(50)
    throughput.worked(5, 1_000)
    expect(throughput.workPerSecond).toBeCloseTo(10, 0)
  })
})
