import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createInference, type Inference } from '../../backend/inference/supervisor.ts'
import { fakeInit } from '../support/fake-init.ts'
import { createJob } from '../support/jobs.ts'
import { nano } from './golden-cases.ts'

const streams = 256
const tenants = 4
const slots = 16
const maxTokens = 24

let inference: Inference
let modelsDir: string
beforeAll(async () => {
  modelsDir = await mkdtemp(path.join(tmpdir(), 'streams-'))
  const { model, engine } = fakeInit()
  inference = createInference({
    entry: 'dist/backend/inference.js',
    environment: process.env,
    init: {
      model: { ...model, checkpointDir: nano, modelsDir, slots, threads: 2 },
      engine: { ...engine, queueLimit: streams },
    },
    log: () => {},
  })
  await inference.ready()
})
afterAll(async () => {
  await inference.close()
  await rm(modelsDir, { recursive: true })
})

/** Starts all streams at once. @returns the stream of each token, in the order of their arrival */
async function streamAll(): Promise<number[]> {
  const arrivals: number[] = []
  const all = Array.from({ length: streams }, async (_, stream) => {
    const job = createJob({
      // One tenant's jobs all come before the next one's.
      tenant: `tenant-${tenantOf(stream)}`,
      promptIds: Int32Array.from({ length: 12 }, (_each, at) => (stream * 7 + at * 13) % 1_000),
      maxTokens,
      stopIds: [],
      controlIdsFrom: 1_024,
    })
    for await (const event of inference.generate(job, new AbortController().signal)) {
      if (event.type === 'tokens') arrivals.push(...event.ids.map(() => stream))
    }
  })
  await Promise.all(all)
  return arrivals
}

function tenantOf(stream: number): number {
  return Math.floor((stream * tenants) / streams)
}

function within(values: readonly number[], part: number): boolean {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  return values.every((value) => Math.abs(value - mean) <= part * mean)
}

/** Tokens of one stream that may arrive at once, when this process was busy meanwhile. */
const underWay = 4

/** Whether both got as many tokens while both ran, but for a fifth, or those that may be under way. */
function keepPace(one: readonly number[], other: readonly number[]): boolean {
  const [from, to] = [Math.max(one[0]!, other[0]!), Math.min(one.at(-1)!, other.at(-1)!)]
  const counts = [one, other].map((times) => times.filter((time) => time >= from && time <= to))
  const [most, least] = [counts[0]!.length, counts[1]!.length].toSorted((a, b) => b - a)
  return most! - least! <= Math.max(underWay, 0.2 * most!)
}

function countBy(keys: readonly number[]): number[] {
  const counts = new Map<number, number>()
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1)
  return [...counts.values()]
}

describe('256 streams at once on the inference process', () => {
  it('all come to their end, at one pace, and leave nothing behind', async () => {
    const arrivals = await streamAll()
    const perStream = countBy(arrivals)
    expect(perStream).toHaveLength(streams)
    expect(new Set(perStream)).toEqual(new Set([maxTokens]))

    // Tenants have equal parts of any stretch of time.
    for (const part of [0.5, 0.75]) {
      const soFar = arrivals.slice(0, arrivals.length * part)
      expect(within(countBy(soFar.map(tenantOf)), 0.2)).toBe(true)
    }
    // And so have any two streams, for as long as both run.
    const times = Array.from({ length: streams }, () => [] as number[])
    arrivals.forEach((stream, time) => times[stream]!.push(time))
    const uneven = times.flatMap((one, stream) =>
      times.slice(stream + 1).filter((other) => !keepPace(one, other)),
    )
    expect(uneven).toEqual([])
    expect(inference.snapshot()).toMatchObject({
      slotsInUse: 0,
      cachedTokens: 0,
      queued: 0,
      queuedWork: 0,
    })
  })
})
