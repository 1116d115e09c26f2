import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadModel } from '../../backend/model/load-model.ts'
import { successorDistance } from '../../backend/models/synthesise/random-tensor.ts'
import { synthesiseModel } from '../../backend/models/synthesise/synthesise-model.ts'
import { likeliest } from '../support/follow-answer.ts'
import { lookAt } from '../support/look-at.ts'

/** Milliseconds: some GB are written and read. */
const patience = 600_000

/** Every tensor has the shape that it has in Kimi-VL-A3B; there are a dense layer, one with experts and one vision block. */
const sizes = { layers: 2, visionLayers: 1, experts: 6 }
const vocabulary = 163_840

/** Bytes that a check may take, whatever the number of layers: a whole model of this size in float32 has 3.5 GB. */
const memoryBudget = 2.5e9

let folder: string
let checkpointDir: string
beforeAll(async () => {
  // Not in the folder for temporary files, which may be in memory.
  await mkdir('dist', { recursive: true })
  folder = await mkdtemp('dist/true-shapes-')
  checkpointDir = join(folder, 'checkpoint')
  const { signal } = new AbortController()
  await synthesiseModel(checkpointDir, { sizes, report() {}, signal })
}, patience)
afterAll(() => rm(folder, { recursive: true }))

describe('a checkpoint with the shapes of Kimi-VL-A3B', () => {
  it(
    'is checked within its budget of memory, and 8 bits are faithful',
    async () => {
      const main = 'backend/models/main.ts'
      const { stdout } = await promisify(execFile)(process.execPath, [main, 'check', checkpointDir])
      expect(stdout).toContain('tokenizer: 11 of 11 texts and chats are as published')
      const [, agreeing, tokens] = /token, (\d+) of (\d+) likeliest tokens the same/.exec(stdout)!
      expect(Number(agreeing) / Number(tokens)).toBeGreaterThan(0.97)
      const [, value, unit] = /^memory: ([\d.]+) ([MG]B) at most$/m.exec(stdout)!
      expect(Number(value) * (unit === 'GB' ? 1e9 : 1e6)).toBeLessThan(memoryBudget)
    },
    patience,
  )

  it(
    'is converted, loaded and run: tokens are followed by their successors',
    async () => {
      const options = { modelsDir: join(folder, 'models'), weights: 'q8', slots: 1 } as const
      const model = await loadModel({ ...options, checkpointDir, threads: 2 })
      const patches = Uint8Array.from({ length: 4 * 6 * 588 }, (_, i) => (i * 7919) % 256)
      const features = await lookAt(model, { patches, gridHw: [4, 6] })
      expect(features).toHaveLength(6 * 2048)
      expect(features.every(Number.isFinite)).toBe(true)
      const slot = model.openSlot()
      let token = 5
      for (let i = 0; i < 8; i++) {
        const tokenIds = Int32Array.of(token)
        const [next] = await model.step([{ slot, tokenIds, features: [], sample: true }])
        expect(likeliest(await next!.row())).toBe((token + successorDistance) % vocabulary)
        token = (token + successorDistance) % vocabulary
      }
      await model.close()
    },
    patience,
  )
})
