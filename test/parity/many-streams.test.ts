import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { EngineSnapshot } from '../../backend/engine/job.ts'
import { forkChild } from '../../backend/inference/supervisor/fork-child.ts'
import type { InferenceInit, ToChild, ToParent } from '../../backend/inference/protocol.ts'
import { fakeInit } from '../support/inference/fake-init.ts'
import { createJob } from '../support/inference/jobs.ts'
import { unevenPairs } from '../support/pace-of-streams.ts'
import { nano } from './golden-cases.ts'

const streams = 256
const tenants = 4
const slots = 16
const maxTokens = 24

/**
 * Uses the process as its parent does: the results of one turn come in one message, however busy this process is
 * meanwhile.
 */
let child: ChildProcess
let modelsDir: string
beforeAll(async () => {
  modelsDir = await mkdtemp(join(tmpdir(), 'streams-'))
  const { model, engine, memory } = fakeInit()
  child = forkChild('backend/inference/child.ts', process.env)
  const init: InferenceInit = {
    model: { ...model, checkpointDir: nano, modelsDir, slots, threads: 2 },
    engine: { ...engine, queueLimit: streams },
    memory,
  }
  tell({ type: 'init', init })
  await readUntil((message) => message.type === 'ready')
})
afterAll(async () => {
  const gone = once(child, 'exit')
  tell({ type: 'close' })
  await gone
  await rm(modelsDir, { recursive: true })
})

function tell(message: ToChild): void {
  child.send(message)
}

/** Passes on each message until one is the last. @throws {Error} when the process fails or ends first */
function readUntil(isLast: (message: ToParent) => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    const onEnd = () => reject(new Error('The inference process ended'))
    const onMessage = (message: ToParent) => {
      const isProblem = message.type === 'fatal' || message.type === 'problem'
      if (isProblem) reject(new Error(message.text))
      else if (isLast(message)) resolve()
      else return
      child.off('message', onMessage).off('exit', onEnd)
    }
    child.on('message', onMessage).once('exit', onEnd)
  })
}

/**
 * Starts all streams at once.
 * @returns the stream of each token, in the order in which the process reported them, and its counters at the end
 */
async function streamAll(): Promise<{ arrivals: number[]; counters: EngineSnapshot | undefined }> {
  const arrivals: number[] = []
  let counters: EngineSnapshot | undefined
  const failures: string[] = []
  let running = streams
  const done = readUntil((message) => {
    if (message.type !== 'update') return false
    counters = message.snapshot ?? counters
    for (const update of message.jobs) {
      if ('error' in update) failures.push(update.error.message)
      else if (update.event.type === 'tokens')
        arrivals.push(...update.event.ids.map(() => update.key))
      if ('error' in update || update.event.type === 'end') running -= 1
    }
    return running === 0 && counters?.slotsInUse === 0
  })
  for (let stream = 0; stream < streams; stream += 1) {
    const job = createJob({
      // One tenant's jobs all come before the next one's.
      tenant: `tenant-${tenantOf(stream)}`,
      promptIds: Int32Array.from({ length: 12 }, (_each, at) => (stream * 7 + at * 13) % 1_000),
      maxTokens,
      stopIds: [],
      controlIdsFrom: 1_024,
    })
    tell({ type: 'generate', key: stream, job })
  }
  await done
  expect(failures).toEqual([])
  return { arrivals, counters }
}

function tenantOf(stream: number): number {
  return Math.floor((stream * tenants) / streams)
}

function within(values: readonly number[], part: number): boolean {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  return values.every((value) => Math.abs(value - mean) <= part * mean)
}

function countBy(keys: readonly number[]): number[] {
  const counts = new Map<number, number>()
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1)
  return [...counts.values()]
}

/** The `count` numbers that occur most often. */
function mostNamed(numbers: readonly number[], count: number): Set<number> {
  const occurrences = Map.groupBy(numbers, (number) => number)
  const sorted = [...occurrences].toSorted(([, a], [, b]) => b.length - a.length)
  return new Set(sorted.slice(0, count).map(([number]) => number))
}

describe('256 streams at once on the inference process', () => {
  it('all come to their end, at one pace, and leave nothing behind', async () => {
    const { arrivals, counters } = await streamAll()
    const perStream = countBy(arrivals)
    expect(perStream).toHaveLength(streams)
    expect(new Set(perStream)).toEqual(new Set([maxTokens]))

    // Tenants have equal shares of any stretch of time.
    for (const part of [0.5, 0.75]) {
      const soFar = arrivals.slice(0, arrivals.length * part)
      expect(within(countBy(soFar.map(tenantOf)), 0.2)).toBe(true)
    }
    // Only those of the first tenant that made way for each newcomer have paused.
    expect(counters?.pauses).toBeLessThanOrEqual(tenants - 1)
    const times = Array.from({ length: streams }, () => [] as number[])
    arrivals.forEach((stream, time) => times[stream]!.push(time))
    const uneven = unevenPairs(times)
    const paused = mostNamed(uneven.flat(), counters?.pauses ?? 0)
    expect(uneven.filter((pair) => !pair.some((stream) => paused.has(stream)))).toEqual([])
    expect(counters).toMatchObject({
      slotsInUse: 0,
      cachedTokens: 0,
      queued: 0,
      queuedWork: 0,
    })
    // Some 400 steps of 16 rows, on a machine that may be busy otherwise.
  }, 120_000)
})
