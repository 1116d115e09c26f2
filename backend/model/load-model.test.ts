import { cp, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { lookAt } from '../../test/support/look-at.ts'
import {
  oddConfig,
  randomTensors,
  randomValues,
  writeCheckpoint,
} from '../../test/write-checkpoint.ts'
import { loadModel, type LoadModelOptions } from './load-model.ts'
import type { Model } from './model.ts'
import { prepareModelFolder } from './convert/model-folder.ts'
import { openModelSource } from './convert/model-source.ts'

let root: string
beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'load-model-'))
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
    logits = await model.step([{ slot, tokenIds, features: [], sample: true }])
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
    checkpointDir: path.join(root, folder),
    modelsDir: path.join(root, 'models'),
    weights,
    slots: 2,
    threads: 2,
  })
  let f32: Model
  let q8: Model
  beforeAll(async () => {
    const config = await oddConfig()
    await writeCheckpoint(path.join(root, 'odd'), config, randomTensors(config))
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
    await expect(f32.step([row, row])).rejects.toThrow('stands twice')
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
    await writeCheckpoint(path.join(root, 'halves'), config, tensors, type)
    const model = await loadModel(options('f32', 'halves'))
    const difference = relativeDifference(await lastLogits(model, [8]), await lastLogits(f32, [8]))
    expect(difference).toBeGreaterThan(0)
    expect(difference).toBeLessThan(0.05)
    await model.close()
  })
})

describe('prepareModelFolder()', () => {
  const setUp = async (name: string) => {
    const checkpointDir = path.join(root, name)
    const modelsDir = path.join(root, `${name}-models`)
    await cp('models/kimi-vl-nano', checkpointDir, { recursive: true })
    const prepare = async (slots = 1, onProgress: (text: string) => void = () => undefined) => {
      const source = await openModelSource(checkpointDir)
      const options = { modelsDir, weights: 'q8', slots, onProgress } as const
      try {
        return await prepareModelFolder(source, options)
      } finally {
        await source.checkpoint.close()
      }
    }
    const weights = path.join(modelsDir, `${name}-onnx-q8`, 'decoder.weights')
    return { checkpointDir, modelsDir, prepare, weights }
  }
  const written = async (file: string) => (await stat(file)).ino

  it('converts once and reuses the weights, also for another number of slots', async () => {
    const { prepare, weights, modelsDir } = await setUp('reuse')
    const told: string[] = []
    await prepare(1, (text) => told.push(text))
    expect(told.at(-1)).toBe('converting weights: 100 %')
    const first = await written(weights)
    await prepare(1)
    await prepare(3)
    expect(await written(weights)).toBe(first)
    expect(await readdir(modelsDir)).toEqual(['reuse-onnx-q8'])
    expect((await readdir(path.dirname(weights))).toSorted()).toEqual([
      'decoder-1-slots.onnx',
      'decoder-3-slots.onnx',
      'decoder.weights',
      'embeddings.weights',
      'manifest.json',
      'vision-blocks.onnx',
      'vision-blocks.weights',
      'vision-embedding.onnx',
      'vision-embedding.weights',
      'vision-projector.onnx',
      'vision-projector.weights',
    ])
  })

  it('reuses the weights when only file times changed, and converts anew when bytes did', async () => {
    const { prepare, weights, checkpointDir } = await setUp('changed')
    const shard = path.join(checkpointDir, 'model-00001-of-00002.safetensors')
    await prepare()
    const first = await written(weights)
    await utimes(shard, new Date(), new Date(0))
    await prepare()
    expect(await written(weights)).toBe(first)
    const bytes = await readFile(shard)
    bytes[bytes.length - 1]! ^= 1
    await writeFile(shard, bytes)
    await utimes(shard, new Date(), new Date(1000))
    await prepare()
    expect(await written(weights)).not.toBe(first)
  })

  it('replaces a folder whose manifest is damaged', async () => {
    const { prepare, weights } = await setUp('damaged')
    await prepare()
    await writeFile(path.join(path.dirname(weights), 'manifest.json'), '{"half":')
    await writeFile(weights, 'damaged')
    await prepare()
    expect((await stat(weights)).size).toBeGreaterThan(1_000_000)
  })

  it('leaves the finished folder alone when a later conversion fails', async () => {
    const { prepare, weights, checkpointDir, modelsDir } = await setUp('failing')
    await prepare()
    const first = await written(weights)
    const shard = path.join(checkpointDir, 'model-00002-of-00002.safetensors')
    const bytes = await readFile(shard)
    bytes.fill(0xff, bytes.length - 64)
    await writeFile(shard, bytes)
    await utimes(shard, new Date(), new Date(1000))
    await expect(prepare()).rejects.toThrow(/cannot write .*not a finite number/)
    expect(await written(weights)).toBe(first)
    expect(await readdir(modelsDir)).toEqual(['failing-onnx-q8'])
  })

  it('names the field of config.json that is not supported', async () => {
    const { prepare, checkpointDir } = await setUp('config')
    const file = path.join(checkpointDir, 'config.json')
    const text = await readFile(file, 'utf8')
    await writeFile(file, text.replace('"n_group": 1', '"n_group": 8'))
    await expect(prepare()).rejects.toThrow('text_config.n_group')
  })
})
