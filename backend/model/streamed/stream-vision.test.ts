import { describe, expect, it } from 'vitest'
import { nano } from '../../../test/parity/golden-cases.ts'
import { openModelSource } from '../convert/source/model-source.ts'
import { channelLinks } from '../equalize/channel-links.ts'
import { equalizedCheckpoint } from '../equalize/equalized-checkpoint.ts'
import type { Equalization } from '../equalize/find-outliers.ts'
import { streamVision } from './stream-vision.ts'

const patches = Uint8Array.from({ length: 4 * 6 * 588 }, (_, i) => (i * 7919) % 256)
const images = [{ patches, gridHw: [4, 6] as const }]
const options = { threads: 1, signal: new AbortController().signal, onProgress() {} }

describe('streamVision()', () => {
  it('computes the same to the last bit when channels are moved, also those that a gelu produces', async () => {
    const source = await openModelSource(nano)
    const { config, checkpoint } = source
    const moved: Equalization = Object.fromEntries(
      channelLinks(config)
        .filter(({ name }) => name.startsWith('vision_tower'))
        .map(({ name, channels }) => [name, { 0: 5, [channels - 1]: -4 }]),
    )
    expect(Object.keys(moved).filter((name) => name.endsWith('mlp.middle'))).toHaveLength(4)
    const featuresWith = async (shifts: Equalization) => {
      const balance = {
        checkpoint: equalizedCheckpoint(checkpoint, config, shifts),
        shifts,
        find: () => Promise.resolve({}),
        set() {},
      }
      const made = await streamVision(source, balance, [{ kind: 'f32' }], images, options)
      return made[0]![0]!
    }
    const features = await featuresWith({})
    expect(features).toHaveLength(6 * config.text_config.hidden_size)
    expect(await featuresWith(moved)).toEqual(features)
    await checkpoint.close()
  })
})
