import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadModel } from '../../backend/model/load-model.ts'
import type { Model } from '../../backend/model/model.ts'
import { writeOutlierCheckpoint, type OutlierPart } from '../support/model/outlier-checkpoint.ts'
import { greedy, nano, readGoldenCases } from './golden-cases.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'outliers-'))
})
afterAll(() => rm(folder, { recursive: true }))

/** Milliseconds: each test answers all cases, with 1,000 steps. */
const patience = 120_000

const cases = await readGoldenCases()

/** Answers of a nano with outliers, in 8 bits, that are not the reference's. */
async function wrongAnswers(
  parts: readonly OutlierPart[],
  power: number,
  channels: number,
): Promise<string[]> {
  const checkpointDir = join(folder, `${parts.join('-')}-${power}-${channels}`)
  await writeOutlierCheckpoint(checkpointDir, nano, { parts, power, seed: power, channels })
  const options = { modelsDir: join(folder, 'models'), slots: 1, threads: 2 }
  const model = await loadModel({ checkpointDir, weights: 'q8', ...options })
  try {
    return await wrongOf(model)
  } finally {
    await model.close()
  }
}

async function wrongOf(model: Model): Promise<string[]> {
  const wrong: string[] = []
  for (const golden of cases) {
    const { ids } = await greedy(model, golden)
    if (ids.join() !== golden.greedy_ids.join()) wrong.push(golden.id)
  }
  return wrong
}

describe('checkpoints with outlier channels, which compute what nano does', () => {
  it.each([
    { parts: ['text', 'vision'], factor: 16, channels: 2 },
    { parts: ['text'], factor: 256, channels: 2 },
    { parts: ['vision'], factor: 256, channels: 2 },
    { parts: ['text', 'vision'], factor: 1024, channels: 2 },
    // Half of the channels of a head and of an expert.
    { parts: ['text'], factor: 256, channels: 32 },
  ] as const)(
    '$channels in $parts times $factor: at least 97 % of answers in 8 bits are the reference’s',
    async ({ parts, factor, channels }) => {
      const wrong = await wrongAnswers(parts, Math.log2(factor), channels)
      expect(wrong.length / cases.length, wrong.join()).toBeLessThanOrEqual(0.03)
    },
    patience,
  )
})
