import { describe, expect, it } from 'vitest'
import { FakeModel } from '../../test/support/inference/fake-model.ts'
import { createJob, readAnswer } from '../../test/support/inference/jobs.ts'
import { unevenPairs } from '../../test/support/pace-of-streams.ts'
import { createEngine } from './engine.ts'

const never = new AbortController().signal
const streams = 256
const tenants = 4
const slots = 16

/** Milliseconds of a step, and of each token in it. */
const stepCost = { fixed: 5, token: 0.2 }

/**
 * Starts all streams at once, on a clock that only the model moves.
 * @param lengthOf tokens of each stream
 * @returns the ids of each stream, the model with its steps, and the engine's counters at the end
 */
async function streamAll(lengthOf: (stream: number) => number) {
  const clock = { ms: 0 }
  const model = new FakeModel({ slots, contextTokens: 8_192 })
  model.hooks.onStep = (rows) => {
    const tokens = rows.reduce((sum, row) => sum + row.tokenIds.length, 0)
    clock.ms += stepCost.fixed + stepCost.token * tokens
  }
  const engine = createEngine({ model, queueLimit: streams, now: () => clock.ms })
  const answers = Array.from({ length: streams }, (_, stream) =>
    readAnswer(
      engine.generate(
        createJob({
          // One tenant's jobs all come before the next one's.
          tenant: `tenant-${Math.floor((stream * tenants) / streams)}`,
          promptIds: Int32Array.from({ length: 12 }, (_each, at) => (stream * 7 + at * 13) % 50),
          maxTokens: lengthOf(stream),
          stopIds: [],
        }),
        never,
      ),
    ),
  )
  const ids = (await Promise.all(answers)).map((answer) => answer.ids)
  return { ids, model, counters: engine.snapshot() }
}

describe('256 streams of four tenants in 16 slots', () => {
  it.each([
    ['of equal lengths, which end together', () => 24],
    ['of many lengths', (stream: number) => 24 + ((stream * 7) % 40)],
  ])('%s never give way, and keep pace', async (_, lengthOf) => {
    const { ids, model, counters } = await streamAll(lengthOf)
    expect(ids.map(({ length }) => length)).toEqual(ids.map((_ids, stream) => lengthOf(stream)))
    expect(counters).toMatchObject({ pauses: 0, paused: 0, slotsInUse: 0, queued: 0 })
    const times = new Map<number, number[]>()
    model.steps.forEach((rows, step) => {
      const sampled = rows.filter(({ sample }) => sample)
      for (const { slot } of sampled) times.set(slot, [...(times.get(slot) ?? []), step])
    })
    expect(times.size).toBe(streams)
    expect(unevenPairs([...times.values()])).toEqual([])
  })
})
