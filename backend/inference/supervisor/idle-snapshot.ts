import type { EngineSnapshot } from '../../engine/job.ts'
import { noSpeculation } from '../../engine/speculation/speculation.ts'
import { noPhaseTimes } from '../../engine/turns/phase-times.ts'
import type { InferenceInit } from '../protocol.ts'

/** The counters of an engine that is not running. */
export function idleSnapshot({ model, engine }: InferenceInit): EngineSnapshot {
  const { queueLimit, queueWorkLimit } = engine
  const queue = { queued: 0, queuedInteractive: 0, queuedBatch: 0, queuedWork: 0 }
  const limits = { queueLimit, queueWorkLimit }
  const running = {
    slotsInUse: 0,
    paused: 0,
    pauses: 0,
    cachedTokens: 0,
    steps: 0,
    workPerSecond: 0,
  }
  const tokens = { limitTokens: 0, bytesPerToken: 0, slotTokens: 0, prefixTokens: 0 }
  const caches = { memory: { ...tokens, imageBytes: 0 }, visionRuns: 0 }
  const counts = { phases: noPhaseTimes, speculation: noSpeculation }
  return { slots: model.slots, ...queue, ...limits, ...running, ...caches, ...counts }
}
