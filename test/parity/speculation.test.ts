/**
 * Answers with drafts, from the model itself. In float32, since rows that run together differ in their last bits from those that
 * run alone, as rows of different requests do: in 8 bits a near tie may then end differently.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openHostAccelerator } from '../support/model/host-accelerator.ts'
import { loadModel } from '../../backend/model/load-model.ts'
import type { Model } from '../../backend/model/model.ts'
import { openDeviceModel } from './device-models.ts'
import { answerAll, draftedJobs } from './drafted-answers.ts'
import { nano } from './golden-cases.ts'

const jobs = await draftedJobs()

const models = [
  {
    name: 'the form for the CPU',
    asked: jobs,
    open: (modelsDir: string) =>
      loadModel({ checkpointDir: nano, modelsDir, weights: 'f32', slots: 4, threads: 2 }),
  },
  {
    name: 'the device form, run by the CPU',
    asked: jobs,
    open: (modelsDir: string) => openDeviceModel('f32', openHostAccelerator(1), modelsDir),
  },
  {
    name: 'the device form after layers on the CPU',
    // Of each kind some.
    asked: jobs.slice(0, 18),
    open: (modelsDir: string) => openDeviceModel('divided', openHostAccelerator(1), modelsDir),
  },
] as const

describe.each(models)('$name', ({ asked, open }) => {
  let modelsDir: string
  let model: Model
  beforeAll(async () => {
    modelsDir = await mkdtemp(join(tmpdir(), 'speculation-'))
    model = await open(modelsDir)
  }, 300_000)
  afterAll(async () => {
    await model.close()
    await rm(modelsDir, { recursive: true })
  })

  it('answers with drafts as without, prompts joining', { timeout: 300_000 }, async () => {
    const plain = await answerAll(model, asked, false)
    const drafting = await answerAll(model, asked, true)
    expect(drafting.answers.map(({ ids, end }) => ({ ids, end }))).toEqual(
      plain.answers.map(({ ids, end }) => ({ ids, end })),
    )
    drafting.answers.forEach(({ logprobs }, index) => {
      const told = plain.answers[index]!.logprobs
      expect(logprobs).toHaveLength(told.length)
      logprobs.forEach(({ logprob }, i) =>
        expect(Math.abs(logprob - told[i]!.logprob)).toBeLessThan(1e-3),
      )
    })
    expect(drafting.snapshot.speculation.acceptedTokens).toBeGreaterThan(20)
    expect(drafting.snapshot.steps).toBeLessThan(plain.snapshot.steps)
  })
})
