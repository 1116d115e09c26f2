import { cp, mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { randomSource } from '../../../scripts/bench/random-source.ts'
import { writeOutlierCheckpoint } from '../../../test/support/model/outlier-checkpoint.ts'
import type { CheckpointTensor } from '../../checkpoint/checkpoint.ts'
import { regionBytes } from '../../graph/kernels/kernels.ts'
import { rowSize } from '../../graph/weight-source.ts'
import { readModelConfig } from '../config/model-config.ts'
import { measureChannels } from '../streamed/measure-channels.ts'
import { convertInto } from './convert-into.ts'
import { openModelSource } from './source/model-source.ts'

let root: string
let checkpointDir: string
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'convert-into-'))
  checkpointDir = join(root, 'checkpoint')
  const outliers = { parts: ['text', 'vision'], power: 7, seed: 1 } as const
  await writeOutlierCheckpoint(checkpointDir, 'models/kimi-vl-nano', outliers)
})
afterAll(() => rm(root, { recursive: true }))

const conversion = {
  options: { weights: 'q8', slots: 1 },
  made: { weights: 'q8', layout: 'of this test' },
  measure: measureChannels,
  threads: 1,
  signal: new AbortController().signal,
} as const

async function convert(folder: string) {
  const source = await openModelSource(checkpointDir)
  const told: string[] = []
  try {
    await convertInto(folder, {
      ...conversion,
      source,
      report: (line) => told.push(line),
    })
  } finally {
    await source.checkpoint.close()
  }
  return told
}

async function filesOf(folder: string) {
  const names = (await readdir(folder)).filter((name) => name !== 'conversion.jsonl').toSorted()
  const contents = await Promise.all(names.map((name) => readFile(join(folder, name))))
  return new Map(names.map((name, i) => [name, contents[i]!.toString('latin1')]))
}

describe('convertInto()', () => {
  it('goes on wherever it was cut off, and whatever the disk lost, with the same result', async () => {
    const whole = join(root, 'whole')
    await mkdir(whole)
    const told = await convert(whole)
    expect(told.at(-1)).toMatch(/^balanced \d+ outlier channels in \d+ places$/)
    const expected = await filesOf(whole)
    const journal = await readFile(join(whole, 'conversion.jsonl'), 'utf8')
    for (const part of [0, 0.35, 0.999]) {
      const folder = join(root, `cut-${part}`)
      await cp(whole, folder, { recursive: true })
      await rm(join(folder, 'manifest.json'))
      const file = join(folder, 'conversion.jsonl')
      await writeFile(file, journal.slice(0, Math.floor(part * journal.length)))
      await truncate(join(folder, 'decoder.weights'), 1_000_000)
      await rm(join(folder, 'vision-blocks.weights'))
      await convert(folder)
      expect(await filesOf(folder)).toEqual(expected)
    }
  })

  it('reads a bounded part of a matrix at a time, however large it is', async () => {
    const nano = await readModelConfig('models/kimi-vl-nano')
    const { text_config: text, vision_config: vision } = nano
    const source = randomSource({
      ...nano,
      text_config: {
        ...text,
        vocab_size: 9_000,
        num_hidden_layers: 2,
        intermediate_size: 8_192,
        moe_intermediate_size: 4_096,
        n_routed_experts: 2,
        num_attention_heads: 64,
      },
      vision_config: { ...vision, num_hidden_layers: 1, intermediate_size: 8_192 },
    })
    const largest = new Map<string, number>()
    const watched = (name: string): CheckpointTensor => {
      const tensor = source.checkpoint.tensor(name)
      const note = (rows: number) => {
        const bytes = rows * rowSize(tensor) * 4
        largest.set(name, Math.max(bytes, largest.get(name) ?? 0))
      }
      return {
        ...tensor,
        readRows(start, count, into) {
          note(count)
          return tensor.readRows(start, count, into)
        },
        readRawRows(start, count) {
          note(count)
          return tensor.readRawRows(start, count)
        },
      }
    }
    const folder = join(root, 'large')
    await mkdir(folder)
    await convertInto(folder, {
      ...conversion,
      source: { ...source, checkpoint: { ...source.checkpoint, tensor: watched } },
      report() {},
    })
    const sizes = [...source.checkpoint.shapes.values()].map((dims) =>
      dims.reduce((a, b) => a * b, 4),
    )
    expect(Math.max(...sizes)).toBeGreaterThan(3 * regionBytes)
    expect([...largest].filter(([, bytes]) => bytes > regionBytes)).toEqual([])
    expect(largest.size).toBe(source.checkpoint.shapes.size)
  })

  it('does nothing twice, and begins anew when the checkpoint changed', async () => {
    const folder = join(root, 'again')
    await mkdir(folder)
    await convert(folder)
    const file = join(folder, 'conversion.jsonl')
    const linesOf = async () =>
      (await readFile(file, 'utf8')).split('\n').filter((line) => line !== '').length
    const lines = await linesOf()
    await convert(folder)
    expect(await linesOf()).toBe(lines)
    const config = join(checkpointDir, 'config.json')
    await writeFile(config, `${await readFile(config, 'utf8')}\n`)
    const journal = await readFile(file, 'utf8')
    await convert(folder)
    expect(await linesOf()).toBe(lines)
    expect((await readFile(file, 'utf8')).split('\n')[0]).not.toBe(journal.split('\n')[0])
  })
})
