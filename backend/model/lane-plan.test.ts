import { describe, expect, it } from 'vitest'
import { planLanes } from './lane-plan.ts'
import type { SlotId, StepRow } from './model.ts'

const row = (slot: number, tokens: number): StepRow => ({
  slot: slot as SlotId,
  tokenIds: new Int32Array(tokens),
  features: [],
  sample: true,
})
const limits = { lanes: 3, expandedFromTokens: 10, neverAlone: false }

describe('planLanes()', () => {
  it('gives the longest chunk the expanded lane, the rest absorbed lanes in order', () => {
    const rows = [row(5, 1), row(0, 12), row(2, 11)]
    expect(planLanes(rows, limits)).toEqual({
      absorbed: [rows[0], rows[2], undefined],
      expanded: rows[1],
      twin: undefined,
    })
  })

  it('gives a lone token company, where it must not be alone', () => {
    const alone = { ...limits, neverAlone: true }
    const [decoding, chunk, long] = [row(1, 1), row(2, 3), row(3, 12)]
    const twin = { ...decoding, sample: false }
    const plan = planLanes([decoding], alone)
    expect(plan).toEqual({ absorbed: [decoding, twin, undefined], expanded: undefined, twin })
    expect(plan.twin).toBe(plan.absorbed[1])
    expect(planLanes([long, decoding], alone)).toMatchObject({ expanded: long, twin })
    for (const rows of [[chunk], [decoding, chunk], [decoding, row(4, 1)]]) {
      expect(planLanes(rows, alone).twin).toBeUndefined()
    }
    expect(planLanes([decoding], { ...alone, lanes: 1 }).twin).toBeUndefined()
  })

  it('leaves the expanded lane idle while all chunks are short', () => {
    const rows = [row(1, 9), row(2, 1)]
    expect(planLanes(rows, limits).expanded).toBeUndefined()
  })

  it('refuses what cannot run', () => {
    expect(() => planLanes([row(0, 0)], limits)).toThrow('slot 0 has no tokens')
    expect(() => planLanes([row(1, 1), row(1, 2)], limits)).toThrow('slot 1 stands twice')
    const four = [0, 1, 2, 3].map((slot) => row(slot, 1))
    expect(() => planLanes(four, limits)).toThrow('4 sequences for 3 lanes')
  })
})
