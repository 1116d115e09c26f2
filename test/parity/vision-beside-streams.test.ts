import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createEngine } from '../../backend/engine/engine.ts'
import { loadModel } from '../../backend/model/load-model.ts'
import type { Model, PatchImage } from '../../backend/model/model.ts'
import { createJob, readAnswer } from '../support/jobs.ts'
import { visionWorker } from '../support/vision-worker.ts'
import { nano } from './golden-cases.ts'

/** Four times as many patches as an image of nano may have. */
const side = 32

let model: Model
let modelsDir: string
beforeAll(async () => {
  modelsDir = await mkdtemp(path.join(tmpdir(), 'beside-'))
  const options = { weights: 'q8', slots: 4, threads: 2, visionWorker } as const
  model = await loadModel({ checkpointDir: nano, modelsDir, ...options })
})
afterAll(async () => {
  await model.close()
  await rm(modelsDir, { recursive: true })
})

const image: PatchImage = {
  gridHw: [side, side],
  patches: Uint8Array.from({ length: side ** 2 * 588 }, (_, i) => (i * 31 + (i >> 9)) % 256),
}

describe('a large image', () => {
  it('is looked at while streams go on and prompts are read, and looks the same', async () => {
    const alone = await model.encodeImage(image)
    const looks: { readonly steps: number; readonly features: Float32Array }[] = []
    const watched: Model = {
      ...model,
      async encodeImage(seen) {
        const { steps } = engine.snapshot()
        const features = await model.encodeImage(seen)
        looks.push({ steps: engine.snapshot().steps - steps, features })
        return features
      },
    }
    const engine = createEngine({ model: watched, queueLimit: 8 })
    const ask = (changes: Parameters<typeof createJob>[0], signal: AbortSignal) =>
      readAnswer(
        engine.generate(createJob({ stopIds: [], controlIdsFrom: 1_024, ...changes }), signal),
      )

    const leaving = new AbortController()
    const stream = ask({ maxTokens: 2_000 }, leaving.signal)
    const pads = new Int32Array(side ** 2 / model.info.mergeSize ** 2)
    const promptIds = Int32Array.from([5, ...pads.fill(model.info.imageTokenId), 6])
    const { signal } = new AbortController()
    const seen = ask({ promptIds, images: [image], maxTokens: 1 }, signal)
    const prompt = ask({ promptIds: new Int32Array(200).fill(7), maxTokens: 5 }, signal)
    expect((await prompt).ids).toHaveLength(5)
    expect((await seen).ids).toHaveLength(1)
    leaving.abort()
    await Promise.allSettled([stream])
    await engine.close()

    expect(looks).toHaveLength(1)
    expect(looks[0]!.features).toEqual(alone)
    // At least those of the prompt and its answer; as many as there is time for.
    expect(looks[0]!.steps).toBeGreaterThan(5)
  })
})
