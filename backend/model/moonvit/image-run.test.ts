import { describe, expect, it } from 'vitest'
import { SlicedRun } from './image-run.ts'

/** A run through passes that only note their pieces. */
function start(patches: number, passes: readonly { unit: number; workPerPatch: number }[]) {
  const pieces: [pass: number, from: number, to: number][] = []
  let released = 0
  const run = new SlicedRun({
    patches,
    passes: passes.map((pass, index) => ({
      ...pass,
      run: (from, to) => Promise.resolve(void pieces.push([index, from, to])),
    })),
    features: Float32Array.of(1),
    release: () => void (released += 1),
  })
  return { run, pieces, released: () => released }
}

const two = [
  { unit: 10, workPerPatch: 0.5 },
  { unit: 4, workPerPatch: 2 },
]

describe('SlicedRun', () => {
  it('takes all patches through one part after the other', async () => {
    const { run, pieces, released } = start(1_000, two)
    expect(run.features).toBeUndefined()
    expect(await run.advance(Infinity)).toBe(500 + 2_000)
    expect(pieces).toEqual([
      [0, 0, 1_000],
      [1, 0, 1_000],
    ])
    expect([run.features, released()]).toEqual([Float32Array.of(1), 1])
    expect(await run.advance(Infinity)).toBe(0)
  })

  it('in whole units, as much as the work is enough for', async () => {
    const { run, pieces } = start(1_000, two)
    expect(await run.advance(309)).toBe(305)
    expect(pieces).toEqual([[0, 0, 610]])
    // What a pass leaves over is for the next one.
    expect(await run.advance(400)).toBe(195 + 200)
    expect(pieces.slice(1)).toEqual([
      [0, 610, 1_000],
      [1, 0, 100],
    ])
  })

  it('never in pieces too small to be run well, but at the end', async () => {
    const { run, pieces } = start(200, [{ unit: 12, workPerPatch: 1 }])
    while (run.features === undefined) expect(await run.advance(1)).toBeGreaterThan(0)
    expect(pieces).toEqual([
      [0, 0, 72],
      [0, 72, 144],
      [0, 144, 200],
    ])
  })

  it('frees its memory once, when it is done or given up', async () => {
    const { run, released } = start(100, two)
    await run.advance(1)
    run.close()
    run.close()
    expect(released()).toBe(1)
    expect(run.features).toBeUndefined()
  })
})
