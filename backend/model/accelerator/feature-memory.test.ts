import { setTimeout as wait } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, it } from 'vitest'
import { FeatureMemory, noFeature, type DeviceFeatures } from './feature-memory.ts'
import { openHostAccelerator } from '../../../test/support/model/host-accelerator.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

async function open(tokens: number): Promise<FeatureMemory> {
  return FeatureMemory.open(openHostAccelerator(1), tokens, 4)
}

it('gives each token a row of its own, but never the one of zeros', async () => {
  const memory = await open(10)
  const rows = [memory.take(4)!, memory.take(6)!].flatMap((features) => [...features.rows])
  expect(new Set(rows).size).toBe(10)
  expect(rows).not.toContain(noFeature)
  expect(memory.take(1)).toBeUndefined()
})

it('measures features as numbers, and cuts them by tokens', async () => {
  const features = (await open(10)).take(3)!
  expect([features.length, features.byteLength]).toEqual([12, 48])
  expect([...features.subarray(4, 12).subarray(4, 8).rows]).toEqual([features.rows[2]])
})

it('uses rows again when nothing refers to them, not even by a part', async () => {
  const memory = await open(10)
  const parts: DeviceFeatures[] = [memory.take(10)!.subarray(4, 8)]
  const isFree = async () => {
    collectGarbage()
    await wait(1)
    return memory.take(10) !== undefined
  }
  for (let i = 0; i < 5; i++) expect(await isFree()).toBe(false)
  parts.length = 0
  await expect.poll(isFree).toBe(true)
})
