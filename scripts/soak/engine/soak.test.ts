import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadModel } from '../../../backend/model/load-model.ts'
import type { Model } from '../../../backend/model/model.ts'
import { runSoak } from './run-soak.ts'

let model: Model
let modelsDir: string
beforeAll(async () => {
  modelsDir = await mkdtemp(join(tmpdir(), 'soak-'))
  const checkpointDir = 'models/kimi-vl-nano'
  const options = { weights: 'q8', slots: 4, threads: 1 } as const
  model = await loadModel({ checkpointDir, modelsDir, ...options })
})
afterAll(async () => {
  await model.close()
  await rm(modelsDir, { recursive: true })
})

/** Milliseconds: about a thousand steps, on a machine that may be busy. */
const timeout = 240_000

describe('mixed traffic on the real model', { timeout }, () => {
  it.each([
    ['with all caches', { kvTokens: 2048, prefixTokens: Infinity, imageBytes: 40_000 }],
    ['with little memory', { kvTokens: 1024, prefixTokens: Infinity, imageBytes: 1e6 }],
    ['without caches', {}],
  ])('leaves nothing behind %s, and never takes more than allowed', async (_, caches) => {
    const report = await runSoak({ model, caches, requests: 250, concurrency: 24, seed: 5 })
    const { answered, left, failures, snapshot } = report
    expect([...failures]).toEqual([])
    expect(answered + left).toBe(250)
    expect(left).toBeGreaterThan(10)
    expect(report.peakTokens).toBeLessThanOrEqual(snapshot.memory.limitTokens)
    expect(report.heldTokens).toBe(snapshot.memory.prefixTokens)
    expect(report.cachedTokens > 0).toBe('prefixTokens' in caches)
    expect(snapshot).toMatchObject({
      slotsInUse: 0,
      queued: 0,
      queuedWork: 0,
      cachedTokens: 0,
      memory: { slotTokens: 0 },
    })
  })
})
