import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { allLogits } from '../../../test/support/model/all-logits.ts'
import { lookAt } from '../../../test/support/model/look-at.ts'
import { writeOutlierCheckpoint } from '../../../test/support/model/outlier-checkpoint.ts'
import {
  oddConfig,
  randomTensors,
  writeCheckpoint,
} from '../../../test/support/model/write-checkpoint.ts'
import type { Checkpoint } from '../../checkpoint/checkpoint.ts'
import { rowSize } from '../../graph/weight-source.ts'
import { openModelSource, type ModelSource } from '../convert/source/model-source.ts'
import { openModel } from '../load-model.ts'
import { channelLinks } from './channel-links.ts'
import { equalizedCheckpoint } from './equalized-checkpoint.ts'
import { findOutliers, type Equalization } from './find-outliers.ts'

const nano = 'models/kimi-vl-nano'
const { signal } = new AbortController()

let root: string
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'equalize-'))
})
afterAll(() => rm(root, { recursive: true }))

/** Features of a picture and logits after some tokens, in float32. */
async function outputsOf(source: ModelSource, name: string): Promise<Float32Array[]> {
  const options = {
    modelsDir: join(root, name),
    weights: 'f32',
    slots: 1,
    threads: 1,
  } as const
  const model = await openModel(source, options)
  try {
    const patches = Uint8Array.from({ length: 4 * 6 * 588 }, (_, i) => (i * 7919) % 256)
    const features = await lookAt(model, { patches, gridHw: [4, 6] })
    const slot = model.openSlot()
    const tokenIds = Int32Array.of(5, 800, 17, 300)
    const step = model.step([{ slot, tokenIds, features: [], sample: true }])
    const [logits] = await allLogits(step)
    return [features, logits!]
  } finally {
    await model.close()
  }
}

describe('equalizedCheckpoint()', () => {
  it('computes the same to the last bit, whatever channels of whatever links are moved', async () => {
    const folder = join(root, 'odd')
    const config = await oddConfig()
    await writeCheckpoint(folder, config, randomTensors(config))
    const source = await openModelSource(folder)
    const everywhere: Equalization = Object.fromEntries(
      channelLinks(config)
        .filter(({ maker }) => maker.kind !== 'gelu')
        .map(({ name, channels }) => [name, { 0: 5, [channels - 1]: -4 }]),
    )
    const checkpoint = equalizedCheckpoint(source.checkpoint, config, everywhere)
    const [before, after] = [
      await outputsOf(source, 'before'),
      await outputsOf({ ...source, checkpoint }, 'after'),
    ]
    await source.checkpoint.close()
    expect(after).toEqual(before)
  })
})

describe('findOutliers()', () => {
  it('finds none in nano: its weights are served as they are', async () => {
    const { config, checkpoint } = await openModelSource(nano)
    expect(await findOutliers(channelLinks(config), checkpoint, signal)).toEqual({})
    await checkpoint.close()
  })

  it('finds those of every place that was given some, with their sizes', async () => {
    const folder = join(root, 'outliers')
    await writeOutlierCheckpoint(folder, nano, {
      parts: ['text', 'vision', 'middle'],
      power: 7,
      seed: 1,
    })
    const { config, checkpoint } = await openModelSource(folder)
    const found = await findOutliers(channelLinks(config), checkpoint, signal)
    await checkpoint.close()
    expect(Object.keys(found)).toEqual(channelLinks(config).map(({ name }) => name))
    const shifts = Object.values(found).flatMap((link) => Object.values(link))
    expect(Math.min(...shifts)).toBeGreaterThanOrEqual(5)
    expect(Math.max(...shifts)).toBeLessThanOrEqual(9)
  })

  it('takes channels behind norms for larger than they seem where weights are small, and no others', async () => {
    const { config, checkpoint } = await openModelSource(nano)
    const [channel, power] = [9, 8]
    const small =
      /layers\.2\.(self_attn\.(q_proj|kv_a_proj_with_mqa|o_proj)|mlp\.experts\.3\.down_proj)\.weight$/
    const reduced: Checkpoint = {
      ...checkpoint,
      tensor(name) {
        const tensor = checkpoint.tensor(name)
        if (!small.test(name)) return tensor
        const width = rowSize(tensor)
        return {
          ...tensor,
          async readRows(start, count) {
            const values = await tensor.readRows(start, count)
            for (let i = channel; i < values.length; i += width) values[i]! *= 2 ** -power
            return values
          },
        }
      },
    }
    const found = await findOutliers(channelLinks(config), reduced, signal)
    await checkpoint.close()
    const [link, ...others] = Object.entries(found)
    expect(others).toEqual([])
    const norm = 'language_model.model.layers.2.input_layernorm'
    expect(link).toEqual([norm, { [channel]: expect.any(Number) as number }])
    expect(Math.abs(found[norm]![channel]! - power / 2)).toBeLessThanOrEqual(1)
  })
})
