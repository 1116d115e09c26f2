import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createEngine } from '../../backend/engine/engine.ts'
import { hostFeatures } from '../../backend/model/host-features.ts'
import { loadModel } from '../../backend/model/load-model.ts'
import type { Model, PatchImage } from '../../backend/model/model.ts'
import { createJob, readAnswer } from '../support/inference/jobs.ts'
import { lookAt } from '../support/model/look-at.ts'
import { nano } from './golden-cases.ts'

/** Four times as many patches as an image of nano may have. */
const side = 32

let model: Model
let modelsDir: string
beforeAll(async () => {
  modelsDir = await mkdtemp(join(tmpdir(), 'beside-'))
  const options = { weights: 'q8', slots: 4, threads: 2 } as const
  model = await loadModel({ checkpointDir: nano, modelsDir, ...options })
})
afterAll(async () => {
  await model.close()
  await rm(modelsDir, { recursive: true })
})

function picture(rows: number, columns: number): PatchImage {
  const bytes = { length: rows * columns * 588 }
  return {
    gridHw: [rows, columns],
    patches: Uint8Array.from(bytes, (_, i) => (i * 31 + (i >> 9)) % 256),
  }
}

describe('an image', () => {
  it.each([
    [side, side],
    [2, 50],
    [50, 2],
    [6, 14],
  ])('of %i x %i patches looks the same in pieces of any size', async (rows, columns) => {
    const image = picture(rows, columns)
    const whole = await lookAt(model, image)
    for (const work of [0, 30, 77.7, 150, 600]) {
      expect(await lookAt(model, image, work), `${work}`).toEqual(whole)
    }
  })

  it('that is given up leaves the next one as it is', async () => {
    const image = picture(8, 8)
    const whole = await lookAt(model, image)
    const run = model.beginImage(picture(side, side))
    await run.advance(500)
    const other = await lookAt(model, image, 40)
    run.close()
    run.close()
    expect(other).toEqual(whole)
  })

  it('is refused when its patches do not fill its grid', () => {
    expect(() => model.beginImage({ ...picture(2, 2), gridHw: [2, 4] })).toThrow('2352 patch bytes')
  })

  it('is looked at while streams go on and prompts are read, and looks the same', async () => {
    const image = picture(side, side)
    const alone = await lookAt(model, image)
    const looks: { steps: number; features: Float32Array | undefined }[] = []
    const watched: Model = {
      ...model,
      beginImage(seen) {
        const run = model.beginImage(seen)
        const { steps } = engine.snapshot()
        return {
          get features() {
            return run.features
          },
          async advance(work) {
            const done = await run.advance(work)
            looks.push({
              steps: engine.snapshot().steps - steps,
              features: run.features && hostFeatures(run.features),
            })
            return done
          },
          close: () => run.close(),
        }
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

    expect(looks.at(-1)!.features).toEqual(alone)
    // In many pieces, each between two steps.
    expect(looks.length).toBeGreaterThan(10)
    expect(looks.at(-1)!.steps).toBeGreaterThanOrEqual(looks.length - 1)
  })
})
