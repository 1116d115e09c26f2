import { mkdtemp, open, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { toFloat32 } from '../../checkpoint/half-float.ts'
import { readSafetensorsHeader } from '../../checkpoint/safetensors.ts'
import { createTokenizer } from '../../processor/text/tokenizer.ts'
import { comparePublishedIds } from '../check/published-ids.ts'
import { publishedSizes, publishedSpecialTokens, publishedVocabulary } from './published-config.ts'
import { fillTensorRows, successorDistance } from './random-tensor.ts'
import { planShards, shardIndex } from './shard-plan.ts'
import { publishedTensors } from './synthesise-model.ts'
import { synthesisedRanks } from './tokenizer-files.ts'
import { writeShard } from './write-shard.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'synthesise-'))
})
afterAll(() => rm(folder, { recursive: true }))

describe('publishedTensors()', () => {
  it('has as many tensors, bytes and shards as moonshotai/Kimi-VL-A3B-Instruct', () => {
    const shards = planShards(publishedTensors(publishedSizes))
    const { metadata, weight_map } = shardIndex(shards)
    expect(metadata.total_size).toBe(32_815_315_552)
    expect(Object.keys(weight_map)).toHaveLength(5_679)
    expect(shards.map(({ fileName }) => fileName).at(-1)).toBe(
      'model-00007-of-00007.safetensors',
    )
  })
})

describe('synthesisedRanks()', () => {
  it('gives published texts and chats their published ids and lengths', () => {
    const tokenizer = createTokenizer(synthesisedRanks())
    const names = Object.entries(publishedSpecialTokens)
    const specialTokens = new Map(names.map(([id, name]) => [name, Number(id)]))
    const tokens = { tokenizer, specialTokens }
    const { compared, problems } = comparePublishedIds(tokens, publishedVocabulary)!
    expect(problems).toEqual([])
    expect(compared).toBe(11)
  })
})

describe('fillTensorRows()', () => {
  const values = (name: string, dims: readonly number[], start: number, count: number) => {
    const target = new Uint16Array(count * dims.slice(1).reduce((a, b) => a * b, 1))
    fillTensorRows(target, { name, dims, start })
    return toFloat32(new Uint8Array(target.buffer), 'BF16')
  }
  const deviation = (numbers: Float32Array) => {
    const mean = numbers.reduce((sum, x) => sum + x, 0) / numbers.length
    return Math.sqrt(numbers.reduce((sum, x) => sum + (x - mean) ** 2, 0) / numbers.length)
  }

  it('makes the same rows, whatever rows are made with them', () => {
    const [name, dims] = ['multi_modal_projector.linear_1.weight', [40, 333]] as const
    expect(values(name, dims, 17, 5)).toEqual(values(name, dims, 0, 40).slice(17 * 333, 22 * 333))
  })

  it('keeps the magnitude of what a matrix is multiplied with, and scatters norms about 1', () => {
    const matrix = values('language_model.model.layers.1.self_attn.q_proj.weight', [90, 2048], 0, 90)
    expect(deviation(matrix) * Math.sqrt(2048)).toBeCloseTo(1, 1)
    const norm = values('language_model.model.layers.1.input_layernorm.weight', [4000], 0, 4000)
    expect(norm.reduce((sum, x) => sum + x, 0) / 4000).toBeCloseTo(1, 1)
    expect(deviation(norm)).toBeCloseTo(0.1, 1)
  })

  it('makes a head that answers with the successor', () => {
    const vocabulary = 163_840
    const token = 163_601
    const next = (token + successorDistance) % vocabulary
    const embedding = values('language_model.model.embed_tokens.weight', [vocabulary, 64], token, 1)
    const row = values('language_model.lm_head.weight', [vocabulary, 64], next, 1)
    row.forEach((weight, i) => expect(weight * 8).toBeCloseTo(embedding[i]!, 1))
  })
})

describe('writeShard()', () => {
  it('writes what the header says, under the final name when it is complete', async () => {
    const tensors = publishedTensors({ ...publishedSizes, layers: 1, visionLayers: 1 }).filter(
      ({ name }) => /layers\.0\.self_attn|blocks\.0\.wo/.test(name),
    )
    const [shard] = planShards(tensors)
    let written = 0
    const options = {
      ropeTheta: 800_000,
      onBytes: (count: number) => (written += count),
      signal: new AbortController().signal,
    }
    const aborted = { ...options, signal: AbortSignal.abort(new Error('enough')) }
    await expect(writeShard(folder, shard!, aborted)).rejects.toThrow('enough')
    const file = join(folder, shard!.fileName)
    await expect(stat(file)).rejects.toThrow('ENOENT')
    await writeShard(folder, shard!, options)
    const handle = await open(file)
    const header = await readSafetensorsHeader(handle, shard!.fileName)
    await handle.close()
    expect([...header.keys()]).toEqual(tensors.map(({ name }) => name))
    const bytes = await readFile(file)
    const last = [...header.values()].at(-1)!
    expect(bytes).toHaveLength(last.offset + last.byteLength)
    const wo = header.get('vision_tower.encoder.blocks.0.wo.weight')!
    const row = new Uint16Array(1152)
    fillTensorRows(row, { name: 'vision_tower.encoder.blocks.0.wo.weight', dims: wo.dims, start: 700 })
    const at = wo.offset + 700 * 2304
    expect(bytes.subarray(at, at + 2304).equals(new Uint8Array(row.buffer))).toBe(true)
    const frequencies = header.get('language_model.model.layers.0.self_attn.rotary_emb.inv_freq')!
    const floats = toFloat32(bytes.subarray(frequencies.offset, frequencies.offset + 128), 'F32')
    expect(floats[0]).toBe(1)
    expect(floats[31]).toBeCloseTo(800_000 ** (-62 / 64), 10)
    expect(written).toBe(tensors.reduce((sum, tensor) => sum + tensor.byteLength, 0) - 128)
  })
})
