import { describe, expect, it } from 'vitest'
import { planLanes } from './lane-plan.ts'
import type { SlotId, StepRow } from '../model.ts'

const row = (slot: number, tokens: number): StepRow => ({
  slot: slot as SlotId,
  tokenIds: new Int32Array(tokens),
  features: [],
  sample: true,
})
const limits = { lanes: 3, expandedFromTokens: 10 }

describe('planLanes()', () => {
  it('gives the longest chunk the expanded lane, the rest absorbed lanes in order', () => {
    const rows = [row(5, 1), row(0, 12), row(2, 11)]
    expect(planLanes(rows, limits)).toEqual({
      absorbed: [rows[0], rows[2], undefined],
      expanded: rows[1],
    })
  })

  it('leaves the expanded lane idle while all chunks are short', () => {
    const rows = [row(1, 9), row(2, 1)]
    expect(planLanes(rows, limits).expanded).toBeUndefined()
  })

  it('refuses what cannot run', () => {
    expect(() => planLanes([row(0, 0)], limits)).toThrow('Slot 0 has no tokens')
    expect(() => planLanes([row(1, 1), row(1, 2)], limits)).toThrow('Slot 1 occurs twice')
    const four = [0, 1, 2, 3].map((slot) => row(slot, 1))
    expect(() => planLanes(four, limits)).toThrow('4 sequences for 3 lanes')
  })
})
