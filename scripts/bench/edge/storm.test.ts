import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startLab, type Lab } from './lab.ts'
import { runStorm } from './storm.ts'

/** Makes a storm repeatable (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let value = Math.imul(state ^ (state >>> 15), 1 | state)
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32
  }
}

describe('runStorm()', () => {
  let lab: Lab
  beforeAll(async () => {
    lab = await startLab()
  })
  afterAll(() => lab.stop())

  it.each(['workerd', 'node'] as const)(
    'leaves nothing behind in the edge on %s',
    { timeout: 120_000 },
    async (name) => {
      const report = await runStorm(lab, lab[name], { requests: 150, random: seeded(7) })
      expect(report.finished).toBeGreaterThan(0)
      expect(report.finished).toBeLessThan(150)
      expect(report).toMatchObject({ socketsLeft: 0, runningLeft: 0, reservationsLeft: 0 })
    },
  )
})
