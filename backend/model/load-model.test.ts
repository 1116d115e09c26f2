import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { allLogits } from '../../test/support/model/all-logits.ts'
import { lookAt } from '../../test/support/model/look-at.ts'
import {
  oddConfig,
  randomTensors,
  randomValues,
  writeCheckpoint,
} from '../../test/support/model/write-checkpoint.ts'
import { openHostAccelerator } from '../../test/support/model/host-accelerator.ts'
import { loadModel, type LoadModelOptions } from './load-model.ts'
import type { Model } from './model.ts'

let root: string
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'load-model-'))
})
afterAll(() => rm(root, { recursive: true }))

const prompt = Int32Array.of(5, 900, 17, 3, 3, 250, 1100, 42)

/** Logits after `prompt`, read in pieces of the given lengths. */
async function lastLogits(model: Model, pieces: readonly number[]): Promise<Float32Array> {
  const slot = model.openSlot()
  let start = 0
  let logits: Float32Array[] = []
  for (const length of pieces) {
    const tokenIds = prompt.subarray(start, (start += length))
    logits = await allLogits(model.step([{ slot, tokenIds, features: [], sample: true }]))
  }
  expect(model.slotLength(slot)).toBe(prompt.length)
  model.closeSlot(slot)
  return logits[0]!
}

function relativeDifference(a: Float32Array, b: Float32Array): number {
  const norm = (values: Float32Array) => Math.hypot(...values)
  return norm(a.map((value, i) => value - b[i]!)) / norm(b)
}

describe('a checkpoint of other dimensions than nano', () => {
  const options = (weights: 'q8' | 'f32', folder: string): LoadModelOptions => ({
    checkpointDir: join(root, folder),
    modelsDir: join(root, 'models'),
    weights,
    slots: 2,
    threads: 2,
  })
  let f32: Model
  let q8: Model
  beforeAll(async () => {
    const config = await oddConfig()
    await writeCheckpoint(join(root, 'odd'), config, randomTensors(config))
    f32 = await loadModel(options('f32', 'odd'))
    q8 = await loadModel(options('q8', 'odd'))
  })
  afterAll(() => Promise.all([f32.close(), q8.close()]))

  it('reads a prompt whole, in chunks and token by token alike', async () => {
    const whole = await lastLogits(f32, [8])
    expect(whole.length).toBe(1280)
    expect(relativeDifference(await lastLogits(f32, [3, 4, 1]), whole)).toBeLessThan(1e-5)
    expect(relativeDifference(await lastLogits(f32, [1, 1, 1, 1, 1, 1, 1, 1]), whole)).toBeLessThan(
      1e-5,
    )
  })

  it('is close to float32 in 8 bits, input widths being no multiple of a block', async () => {
    const difference = relativeDifference(await lastLogits(q8, [8]), await lastLogits(f32, [8]))
    expect(difference).toBeGreaterThan(0)
    expect(difference).toBeLessThan(0.1)
  })

  it('encodes images of any even grid', async () => {
    for (const gridHw of [
      [2, 2],
      [4, 10],
      [6, 2],
    ] as const) {
      const values = randomValues(gridHw[0] * gridHw[1] * 588, 3)
      const patches = Uint8Array.from(values, (value) => 128 + 127 * value)
      const features = await lookAt(f32, { patches, gridHw })
      expect(features.length).toBe(((gridHw[0] * gridHw[1]) / 4) * f32.info.hiddenSize)
      const rounded = await lookAt(q8, { patches, gridHw })
      expect(relativeDifference(rounded, features)).toBeLessThan(0.1)
    }
  })

  it('refuses misuse: no token, a slot twice, an id outside the vocabulary, too few patches', async () => {
    const slot = f32.openSlot()
    const row = { slot, tokenIds: Int32Array.of(1), features: [], sample: true }
    await expect(f32.step([{ ...row, tokenIds: new Int32Array() }])).rejects.toThrow(RangeError)
    await expect(f32.step([row, row])).rejects.toThrow('occurs twice')
    await expect(f32.step([{ ...row, tokenIds: Int32Array.of(1280) }])).rejects.toThrow('1280')
    const image = { patches: new Uint8Array(10), gridHw: [2, 2] as const }
    expect(() => f32.beginImage(image)).toThrow('10 patch bytes')
    expect(f32.slotLength(slot)).toBe(0)
    f32.closeSlot(slot)
  })

  it('reads bfloat16 and float16 checkpoints like their float32 form', async () => {
    const config = await oddConfig()
    const tensors = randomTensors(config)
    const type = (name: string) => (name.length % 2 === 0 ? 'BF16' : 'F16')
    await writeCheckpoint(join(root, 'halves'), config, tensors, type)
    const model = await loadModel(options('f32', 'halves'))
    const difference = relativeDifference(await lastLogits(model, [8]), await lastLogits(f32, [8]))
    expect(difference).toBeGreaterThan(0)
    expect(difference).toBeLessThan(0.05)
    await model.close()
  })
})

describe('loadModel()', () => {
  it.each([1, 2])('looks on a device as on the CPU with %i layers of vision', async (layers) => {
    const odd = await oddConfig()
    const config = { ...odd, vision_config: { ...odd.vision_config, num_hidden_layers: layers } }
    const options = {
      checkpointDir: join(root, `vision-${layers}`),
      modelsDir: join(root, 'models'),
      weights: 'f32',
      slots: 1,
      threads: 1,
    } as const
    await writeCheckpoint(options.checkpointDir, config, randomTensors(config))
    const patches = Uint8Array.from(randomValues(24 * 588, 3), (value) => 128 + 127 * value)
    const image = { patches, gridHw: [4, 6] } as const
    const cpu = await loadModel(options)
    const expected = await lookAt(cpu, image)
    await cpu.close()
    const device = { accelerator: openHostAccelerator(1), cacheTokens: 64, cpuLayers: 0 }
    const model = await loadModel({ ...options, device })
    expect(relativeDifference(await lookAt(model, image), expected)).toBeLessThan(1e-5)
    await model.close()
  })

  it.each(['decoder.weights', 'embeddings.weights'])(
    'serves nothing from a damaged %s, and makes it anew',
    async (name) => {
      const told: string[] = []
      const options = {
        checkpointDir: 'models/kimi-vl-nano',
        modelsDir: join(root, `damaged-${name}`),
        weights: 'q8',
        slots: 1,
        threads: 1,
        onProgress: (line: string) => told.push(line),
      } as const
      const first = await loadModel(options)
      const expected = await lastLogits(first, [prompt.length])
      await first.close()
      const file = join(options.modelsDir, 'kimi-vl-nano-onnx-q8', name)
      const bytes = await readFile(file)
      // Everything from the middle on.
      await writeFile(
        file,
        bytes.map((byte, i) => (i < bytes.length / 2 ? byte : byte ^ 0x55)),
      )
      told.length = 0
      const mended = await loadModel(options)
      expect(told.find((line) => line.includes('damaged'))).toMatch(
        / is damaged between byte \d+ and \d+: converting the checkpoint again$/,
      )
      expect(await lastLogits(mended, [prompt.length])).toEqual(expected)
      await mended.close()
      expect((await readFile(file)).equals(bytes)).toBe(true)
    },
  )
})
