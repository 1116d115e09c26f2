import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openHostAccelerator } from '../../backend/model/accelerator/host-accelerator.ts'
import type { Model } from '../../backend/model/model.ts'
import { softwareDriver } from '../support/software-driver.ts'
import { deviceChecks } from './device-checks.ts'
import { graphChecks } from './device-graph-checks.ts'
import { deviceModels, openDeviceModel } from './device-models.ts'
import { runOnCard } from './device-program.ts'
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

const driver = await softwareDriver()

describe.skipIf('problem' in driver)(`the device form on ${nameOf(driver)}`, () => {
  const environment = 'problem' in driver ? {} : driver.environment
  it(
    'passes every check, each node on the device',
    async () => {
      const results = await runOnCard('answers', environment, modelsDir)
      expect(results).toEqual(deviceChecks.map(({ name }) => ({ name, problem: undefined })))
    },
    2 * patience,
  )

  it(
    'opens and runs graphs of true size, and launches what it did',
    async () => {
      const results = await runOnCard('graphs', environment, modelsDir)
      expect(results).toEqual(graphChecks.map(({ name }) => ({ name, problem: undefined })))
    },
    patience,
  )
})

function nameOf(found: Awaited<ReturnType<typeof softwareDriver>>): string {
  return 'problem' in found ? `a software driver (${found.problem})` : 'Mesa’s software driver'
}
