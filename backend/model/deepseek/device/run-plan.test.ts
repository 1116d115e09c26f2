import { describe, expect, it } from 'vitest'
import { planRuns, type Run } from './run-plan.ts'

/** For each part, the order in which its tokens run, as [first, end) of each piece. */
function piecesOf(runs: readonly Run[], part: number): (readonly [number, number])[] {
  return runs
    .flatMap(({ pieces }) => pieces)
    .filter((piece) => piece.part === part)
    .map(({ from, count }) => [from, from + count] as const)
}

describe('the runs of a step', () => {
  it('are one for streams and short pieces of prompts together', () => {
    const parts = [
      { past: 10, count: 1 },
      { past: 0, count: 64 },
      { past: 100, count: 1 },
    ]
    const runs = planRuns(parts, 'chunk')
    expect(runs.length).toBe(1)
    expect(runs[0]).toMatchObject({ kind: 'mixed', tableTokens: 128 })
    expect(runs[0]!.pieces.map(({ count }) => count).toSorted((a, b) => a - b)).toEqual([1, 1, 64])
  })

  it('are separate for long pieces, of at most 64 tokens, in order', () => {
    const runs = planRuns(
      [
        { past: 0, count: 200 },
        { past: 3, count: 1 },
      ],
      'chunk',
    )
    expect(piecesOf(runs, 0)).toEqual([
      [0, 64],
      [64, 128],
      [128, 192],
      [192, 200],
    ])
    expect(runs.map(({ kind, tableTokens }) => [kind, tableTokens])).toEqual([
      ['chunk', 64],
      ['chunk', 128],
      ['chunk', 192],
      ['mixed', 256],
    ])
  })

  it('gather a bounded number of rows', () => {
    const parts = Array.from({ length: 32 }, (_, i) => ({ past: i < 4 ? 50_000 : 50, count: 1 }))
    const runs = planRuns(parts, 'chunk')
    const gathered = runs.map(({ pieces, tableTokens }) => pieces.length * tableTokens)
    expect(Math.max(...gathered)).toBeLessThanOrEqual(131_072)
    expect(runs.at(-1)!.tableTokens).toBe(64)
    expect(runs.flatMap(({ pieces }) => pieces).length).toBe(32)
  })

  it('take as much memory after many tokens as after few', () => {
    for (const past of [0, 3_000, 30_000, 130_000]) {
      for (const kind of ['chunk', 'mixed'] as const) {
        for (const count of [2, 8, 60, 64, 500]) {
          for (const { kind: own, pieces, tableTokens } of planRuns([{ past, count }], kind)) {
            const tokens = pieces.reduce((sum, piece) => sum + piece.count, 0)
            const most = own === 'mixed' ? 131_072 : 524_288
            expect(tokens * tableTokens, `${past} + ${count}`).toBeLessThanOrEqual(most)
          }
        }
      }
    }
  })

  it('have every token once, and none before an earlier one of its sequence', () => {
    for (let seed = 1; seed <= 200; seed++) {
      const parts = Array.from({ length: 1 + (seed % 9) }, (_, i) => ({
        past: (seed * 7919 * (i + 1)) % 9000,
        count: 1 + ((seed * 104_729 * (i + 3)) % (i % 2 === 0 ? 3 : 700)),
      }))
      const runs = planRuns(parts, seed % 2 === 0 ? 'chunk' : 'mixed')
      parts.forEach(({ count }, part) => {
        const pieces = piecesOf(runs, part)
        expect(pieces[0]![0]).toBe(0)
        expect(pieces.at(-1)![1]).toBe(count)
        pieces.slice(1).forEach(([from], i) => expect(from).toBe(pieces[i]![1]))
      })
      for (const { pieces, tableTokens } of runs) {
        for (const { part, from, count } of pieces) {
          expect(parts[part]!.past + from + count).toBeLessThanOrEqual(tableTokens)
        }
      }
    }
  })
})
