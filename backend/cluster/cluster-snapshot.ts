import type { EngineSnapshot } from '../engine/job.ts'
import { noSpeculation } from '../engine/speculation/speculation.ts'
import { noPhaseTimes } from '../engine/turns/phase-times.ts'
import type { Dispatcher } from './answer/dispatcher.ts'
import type { EngineEntry } from './health/engine-entry.ts'

interface QueueLimits {
  readonly queueLimit: number
  readonly queueWorkLimit: number
}

/** The counters before any engine is known. What only an engine in this server knows is 0. */
export function idleClusterSnapshot({ queueLimit, queueWorkLimit }: QueueLimits): EngineSnapshot {
  return {
    slots: 0,
    slotsInUse: 0,
    paused: 0,
    pauses: 0,
    queued: 0,
    queuedInteractive: 0,
    queuedBatch: 0,
    queueLimit,
    queuedWork: 0,
    queueWorkLimit,
    workPerSecond: 0,
    cachedTokens: 0,
    memory: { limitTokens: 0, bytesPerToken: 0, slotTokens: 0, prefixTokens: 0, imageBytes: 0 },
    visionRuns: 0,
    steps: 0,
    phases: noPhaseTimes,
    speculation: noSpeculation,
  }
}

/** The counters of this server's own queue, and of what it has given to engines. */
export function clusterSnapshot(
  engines: readonly EngineEntry[],
  { waiting, workPerSecond }: Pick<Dispatcher, 'waiting' | 'workPerSecond'>,
  limits: QueueLimits,
): EngineSnapshot {
  const ready = engines.filter(({ isReady }) => isReady)
  const sum = (numbers: readonly number[]) => numbers.reduce((total, each) => total + each, 0)
  return {
    ...idleClusterSnapshot(limits),
    slots: sum(ready.map(({ slots }) => slots)),
    slotsInUse: sum(engines.map(({ running }) => running)),
    queued: waiting.interactive + waiting.batch,
    queuedInteractive: waiting.interactive,
    queuedBatch: waiting.batch,
    queuedWork: waiting.work,
    workPerSecond,
  }
}
