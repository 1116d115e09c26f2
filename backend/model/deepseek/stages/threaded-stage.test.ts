import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DeviceError } from '../../accelerator/accelerator.ts'
import { findModelFolder } from '../../convert/model-folder.ts'
import { openModelSource } from '../../convert/source/model-source.ts'
import { measureChannels } from '../../streamed/measure-channels.ts'
import type { SlotId } from '../../model.ts'
import type { StageSetup } from './local-stage.ts'
import { openThreadedStage } from './threaded-stage.ts'

let modelsDir: string
let setup: StageSetup
beforeAll(async () => {
  modelsDir = await mkdtemp(join(tmpdir(), 'threads-'))
  const source = await openModelSource('models/kimi-vl-nano')
  const options = { modelsDir, weights: 'q8', slots: 1, threads: 1, stageLayers: [2, 2] } as const
  const { decoder } = await findModelFolder(source, { ...options, measure: measureChannels })
  await source.checkpoint.close()
  if (decoder.layout !== 'cpu') throw new Error('expected the form for the CPU')
  setup = { ...decoder.stages[0]!, config: source.config.text_config, threads: 1, slots: 2 }
})
afterAll(() => rm(modelsDir, { recursive: true }))

const slot = 0 as SlotId
const step = (tokens: number) => ({
  lanes: [{ slot, tokens }, undefined],
  sampleRows: [],
  input: { embeddings: new Float32Array(tokens * setup.config.hidden_size).fill(0.1) },
})

describe('a stage in a thread of its own', () => {
  it('cannot be opened without its graph', async () => {
    const missing = { ...setup, graph: join(modelsDir, 'missing.onnx') }
    await expect(openThreadedStage(missing)).rejects.toThrow(/missing\.onnx/)
  })

  it('forgets a step that is not committed', async () => {
    const stage = await openThreadedStage(setup)
    stage.change({ type: 'open' })
    const first = await stage.run(step(3))
    expect(await stage.run(step(3))).toEqual(first)
    stage.commit()
    // With three tokens before it, the same token attends to more.
    expect(await stage.run(step(3))).not.toEqual(first)
    await stage.close()
  })

  it('passes on what a run throws, and lives on', async () => {
    const stage = await openThreadedStage(setup)
    await expect(stage.run(step(1))).rejects.toThrow(/not open/)
    stage.change({ type: 'open' })
    expect(await stage.run(step(1))).toHaveProperty('stream')
    await stage.close()
  })

  it('is lost when its thread ends', async () => {
    const stage = await openThreadedStage(setup)
    stage.change({ type: 'close', slot })
    await expect(stage.run(step(1))).rejects.toThrow(DeviceError)
    await expect(stage.run(step(1))).rejects.toThrow(/A thread of the decoder is lost: Slot 0/)
    await stage.close()
  })
})
