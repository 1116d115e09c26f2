import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { readRunningAddress, runningFile } from '../../../shared/node/running-address.ts'
import { lockState } from './state-lock.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'state-'))
})
afterEach(() => rm(folder, { recursive: true }))

it('admits one, shows the next where it runs, and lets go', async () => {
  const lock = await lockState(folder)
  await expect(lockState(folder)).rejects.toThrow(/is being started by another .* STATE_DIR/)
  await lock.publish('http://127.0.0.1:9999')
  expect(readRunningAddress(folder)).toEqual({ url: 'http://127.0.0.1:9999', pid: process.pid })
  await expect(lockState(folder)).rejects.toThrow('is already running at http://127.0.0.1:9999')
  await lock.release()
  expect(existsSync(runningFile(folder))).toBe(false)
  await (await lockState(folder)).release()
})
