import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { getPriority, tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { visionWorker } from '../../test/support/vision-worker.ts'
import { prepareModelFolder } from './model-folder.ts'
import { openModelSource } from './model-source.ts'
import { startVisionThread, type VisionSetup } from './vision-thread.ts'

let modelsDir: string
let setup: VisionSetup
beforeAll(async () => {
  modelsDir = await mkdtemp(path.join(tmpdir(), 'vision-'))
  const source = await openModelSource('models/kimi-vl-nano')
  const folder = await prepareModelFolder(source, { modelsDir, weights: 'q8', slots: 1 })
  await source.checkpoint.close()
  const { preprocessor, config } = source
  const graphFile = folder.visionGraphFile
  setup = { graphFile, threads: 3, config: config.vision_config, preprocessor }
})
afterAll(() => rm(modelsDir, { recursive: true }))

const image = {
  gridHw: [4, 6] as const,
  patches: Uint8Array.from({ length: 24 * 588 }, (_, i) => i % 251),
}

/** Nice values of this process's threads by their ids, as Linux tells. */
function niceValues(): Map<string, number> {
  const values = new Map<string, number>()
  for (const id of readdirSync('/proc/self/task')) {
    const file = `/proc/self/task/${id}/stat`
    // A thread may end meanwhile.
    if (!existsSync(file)) continue
    // The 19th field; the second, in parentheses, may itself hold spaces.
    values.set(id, Number(readFileSync(file, 'utf8').split(') ').at(-1)!.split(' ')[16]))
  }
  return values
}

describe('startVisionThread()', () => {
  it('gives the same features every time, and leaves the patches to the caller', async () => {
    const vision = await startVisionThread(visionWorker, setup)
    // Part of a larger buffer, as after a hop between processes.
    const buffer = new Uint8Array(image.patches.length + 64)
    const patches = buffer.subarray(64)
    patches.set(image.patches)
    const features = await vision.encode({ ...image, patches })
    expect(patches).toEqual(image.patches)
    expect(features.length).toBe(6 * 128)
    expect(await vision.encode(image)).toEqual(features)
    await vision.close()
  })

  it('looks at several images in turn, each with its own outcome', async () => {
    const vision = await startVisionThread(visionWorker, setup)
    const other = { ...image, gridHw: [6, 4] as const }
    const short = { ...image, patches: new Uint8Array(588) }
    const [first, second, third] = await Promise.allSettled(
      [image, short, other].map((each) => vision.encode(each)),
    )
    expect(first).toEqual({ status: 'fulfilled', value: await vision.encode(image) })
    expect(second).toMatchObject({ reason: { message: expect.stringContaining('588') as string } })
    expect(third).toEqual({ status: 'fulfilled', value: await vision.encode(other) })
    await vision.close()
  })

  it('goes on after an image that fails', async () => {
    const vision = await startVisionThread(visionWorker, setup)
    const short = { ...image, patches: new Uint8Array(588) }
    await expect(vision.encode(short)).rejects.toThrow('588 patch bytes')
    expect((await vision.encode(image)).length).toBeGreaterThan(0)
    await vision.close()
  })

  it('rejects when the tower cannot be opened', async () => {
    const missing = { ...setup, graphFile: path.join(modelsDir, 'missing.onnx') }
    await expect(startVisionThread(visionWorker, missing)).rejects.toThrow('missing.onnx')
  })

  it.runIf(process.platform === 'linux')('steps back behind other threads', async () => {
    const before = niceValues()
    const vision = await startVisionThread(visionWorker, setup)
    const lowered = Math.min(getPriority() + 5, 19)
    const started = [...niceValues()].filter(([id, nice]) => !before.has(id) && nice === lowered)
    // The thread itself and the two that help it.
    expect(started).toHaveLength(3)
    await vision.close()
  })
})
