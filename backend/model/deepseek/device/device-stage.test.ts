import { describe, expect, it } from 'vitest'
import type { SlotId } from '../../model.ts'
import type { StageStep } from '../stages/stage.ts'
import type { DeviceRow } from './device-layers.ts'
import { DeviceStage } from './device-stage.ts'
import { RowCache } from './row-cache.ts'

const hidden = 2
const [a, b] = [0 as SlotId, 1 as SlotId]

/** A stage over layers that only keep count, with two open slots. */
function createStage() {
  const cache = new RowCache({ slots: 2, rows: 17, maxTokens: 12 })
  const steps: (readonly DeviceRow[])[] = []
  const step = (rows: readonly DeviceRow[]) => {
    steps.push(rows)
    for (const { slot, tokens } of rows) cache.extend(slot, tokens)
    return Promise.resolve([])
  }
  const stage = new DeviceStage({ cache, step }, hidden)
  stage.change({ type: 'open' })
  stage.change({ type: 'open' })
  return { stage, cache, steps }
}

/** Two tokens of slot b in the first lane, one of slot a in the last. */
const twoLanes: StageStep = {
  lanes: [{ slot: b, tokens: 2 }, undefined, { slot: a, tokens: 1 }],
  sampleRows: [1, 2],
  input: {
    stream: Float32Array.of(1, 2, 3, 4, 5, 6),
    branch: Float32Array.of(10, 20, 30, 40, 50, 60),
  },
}

describe('the layers on a device as a stage', () => {
  it('begin with what the CPU’s layers leave, added up and by sequence', async () => {
    const { stage, steps } = createStage()
    expect(await stage.run(twoLanes)).toEqual({ next: [] })
    const [first, second] = steps[0]!
    expect(first).toMatchObject({ slot: b, tokens: 2, wanted: 1 })
    expect([...first!.stream]).toEqual([11, 22, 33, 44])
    expect(second).toMatchObject({ slot: a, tokens: 1, wanted: 1 })
    expect([...second!.stream]).toEqual([55, 66])
  })

  it('keep the tokens of a run that is committed', async () => {
    const { stage, cache } = createStage()
    await stage.run(twoLanes)
    stage.commit()
    await stage.run(twoLanes)
    stage.commit()
    expect([cache.length(a), cache.length(b), cache.freeRows]).toEqual([2, 4, 10])
  })

  it('forget those of one that is not', async () => {
    const { stage, cache } = createStage()
    await stage.run(twoLanes)
    stage.commit()
    await stage.run(twoLanes)
    stage.change({ type: 'keep', slot: b, from: 0, to: 2 })
    expect([cache.length(a), cache.length(b), cache.freeRows]).toEqual([1, 2, 13])
    await stage.run(twoLanes)
    await stage.run(twoLanes)
    expect([cache.length(a), cache.length(b)]).toEqual([2, 4])
  })

  it('do not begin with embeddings', async () => {
    const { stage } = createStage()
    const input = { embeddings: new Float32Array(6) }
    await expect(stage.run({ ...twoLanes, input })).rejects.toThrow(RangeError)
  })
})
