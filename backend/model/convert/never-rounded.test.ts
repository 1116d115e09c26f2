import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readAll, reshaped, rowCount, rowSize } from '../../graph/weight-source.ts'
import { fileNames } from './graphs/build-graphs.ts'
import { measureChannels } from '../streamed/measure-channels.ts'
import { findConverted } from './converted-model.ts'
import { prepareModelFolder } from './model-folder.ts'
import { openModelSource } from './source/model-source.ts'

const nano = 'models/kimi-vl-nano'

let root: string
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'never-rounded-'))
})
afterAll(() => rm(root, { recursive: true }))

/** Tensors of the checkpoint that no form rounds, and where a converted model has them. */
const kept: readonly (readonly [file: string, stored: string, original: string])[] = [
  ...[1, 2, 3].flatMap((layer) => [
    [
      fileNames.weights.decoder,
      `/layers.${layer}/mlp/router/gate/weight`,
      `language_model.model.layers.${layer}.mlp.gate.weight`,
    ] as const,
    [
      fileNames.weights.decoder,
      `/layers.${layer}/mlp/router/e_score_correction_bias`,
      `language_model.model.layers.${layer}.mlp.gate.e_score_correction_bias`,
    ] as const,
  ]),
  ...['linear_1', 'linear_2'].map(
    (name) =>
      [
        fileNames.weights.projector,
        `/${name}/weight`,
        `multi_modal_projector.${name}.weight`,
      ] as const,
  ),
  [fileNames.weights.embedding, '/patch_embed/proj/weight', 'vision_tower.patch_embed.proj.weight'],
]

describe('an 8-bit form', () => {
  it('has router, projector and patch embedding as the checkpoint has them, to the last bit', async () => {
    const source = await openModelSource(nano)
    const options = { modelsDir: root, weights: 'q8', slots: 1, threads: 1 } as const
    await prepareModelFolder(source, { ...options, measure: measureChannels })
    const { folder, graphs } = await findConverted(source, options)
    for (const [file, name, original] of kept) {
      const stored = graphs[file]!.spec.initializers.find((tensor) => tensor.name === name)
      if (stored === undefined || !('offset' in stored)) throw new Error(`${file} has no ${name}`)
      expect(stored.type).toBe('float32')
      const bytes = new Uint8Array(stored.byteLength)
      const handle = await open(join(folder, file))
      await handle.read(bytes, 0, bytes.length, stored.offset)
      await handle.close()
      const tensor = source.checkpoint.tensor(original)
      const expected = await readAll(reshaped(tensor, [rowCount(tensor), rowSize(tensor)]))
      expect(new Float32Array(bytes.buffer), original).toEqual(expected)
    }
    await source.checkpoint.close()
  })

  it('has no weight of 8 bits in the projector, whatever the other choices are', async () => {
    const source = await openModelSource(nano)
    for (const blockSize of [32, 64, 128] as const) {
      const options = { modelsDir: root, weights: 'q8', slots: 1, blockSize } as const
      const { graphs } = await findConverted(source, options)
      const { initializers } = graphs[fileNames.weights.projector]!.spec
      const types = new Set(
        initializers.flatMap((tensor) => ('offset' in tensor ? tensor.type : [])),
      )
      expect([...types]).toEqual(['float32'])
    }
    await source.checkpoint.close()
  })
})
