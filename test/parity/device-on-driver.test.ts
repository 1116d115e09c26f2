import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { softwareDriver } from '../support/software-driver.ts'
import { deviceChecks } from './device-checks.ts'
import { graphChecks } from './device-graph-checks.ts'
import { runOnCard } from './device-program.ts'

/** Milliseconds: each check runs hundreds of steps. With 16 busy processes on two cores, all took 570 seconds. */
const patience = 1_200_000

let modelsDir: string
beforeAll(async () => {
  modelsDir = await mkdtemp(join(tmpdir(), 'device-'))
})
afterAll(() => rm(modelsDir, { recursive: true }))

const driver = await softwareDriver()

describe.skipIf('problem' in driver)(`the device form on ${nameOf(driver)}`, () => {
  const environment = 'problem' in driver ? {} : driver.environment
  it(
    'passes every check, each node on the device',
    async () => {
      const results = await runOnCard('answers', environment, modelsDir)
      expect(results).toEqual(deviceChecks.map(({ name }) => ({ name, problem: undefined })))
    },
    patience,
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
