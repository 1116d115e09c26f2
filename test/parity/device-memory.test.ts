import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { memoryOverTurns } from './device-memory-program.ts'

/** After so many readings everything that is kept for later has been made. */
const warmUp = 6

it('keeps its memory over 2,000 mixed turns of the device form', async () => {
  const modelsDir = await mkdtemp(join(tmpdir(), 'device-memory-'))
  const readings = await memoryOverTurns(2000, modelsDir)
  await rm(modelsDir, { recursive: true })
  const warm = readings.slice(warmUp)
  const half = warm.length >> 1
  // What has not been collected yet comes and goes; a leak raises the least.
  const growth = Math.min(...warm.slice(half)) / Math.min(...warm.slice(0, half)) - 1
  expect(readings).toHaveLength(20)
  expect(growth, readings.join()).toBeLessThan(0.02)
}, 240_000)
