import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openHostAccelerator } from '../support/model/host-accelerator.ts'
import type { Model } from '../../backend/model/model.ts'
import { deviceChecks } from './device-checks.ts'
import { deviceModels, openDeviceModel } from './device-models.ts'
import { readGoldenCases } from './golden-cases.ts'
import { compareOnScenes, widestNearTie } from './near-ties.ts'

const cases = await readGoldenCases()

/** Milliseconds: each check runs hundreds of steps, on a machine that may be busy. */
const patience = 240_000

let modelsDir: string
beforeAll(async () => {
  modelsDir = await mkdtemp(join(tmpdir(), 'device-'))
})
afterAll(() => rm(modelsDir, { recursive: true }))

describe.each(deviceModels)('the device form of %s, run by the CPU', (name) => {
  let model: Model
  beforeAll(async () => {
    model = await openDeviceModel(name, openHostAccelerator(1), modelsDir)
  })
  afterAll(() => model.close())

  it.each(deviceChecks.filter((check) => check.model === name))(
    '$name',
    async ({ run }) => {
      const isAll = name === 'f32' || name === 'q8'
      const some = isAll ? cases : cases.filter((_, i) => i % 6 === 0)
      await expect(run(model, some)).resolves.toBeUndefined()
    },
    patience,
  )
})

it(
  'the device form in 8 bits, run by the CPU, parts from the CPU’s own only at near ties',
  async () => {
    const options = { modelsDir, scenes: 24, seed: 7 }
    const found = await compareOnScenes(openHostAccelerator(1), options)
    const { partings } = found
    expect(partings.length).toBeLessThanOrEqual(2)
    for (const { scene, leads } of partings) {
      expect(Math.abs(leads.exact), `${scene}`).toBeLessThan(widestNearTie(found))
    }
  },
  patience,
)
