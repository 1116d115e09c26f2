import type { CacheLimits } from '../../../backend/engine/memory/cache-limits.ts'
import { createEngine } from '../../../backend/engine/engine.ts'
import type { Engine, EngineSnapshot } from '../../../backend/engine/job.ts'
import type { Model } from '../../../backend/model/model.ts'
import { createTraffic } from './traffic.ts'
import { watchMemory } from './watch-memory.ts'
import { errorText } from '../../../shared/log/error-text.ts'

interface SoakOptions {
  /** Closed by the caller. */
  readonly model: Model
  readonly caches: CacheLimits
  readonly requests: number
  /** Requests that are in progress at the same time. */
  readonly concurrency: number
  readonly seed: number
  /** Called when a request has ended, however it did. */
  readonly onEnded?: (count: number) => void
}

interface SoakReport {
  readonly answered: number
  readonly left: number
  /** What went wrong, and how often. */
  readonly failures: ReadonlyMap<string, number>
  readonly promptTokens: number
  readonly cachedTokens: number
  /** The most tokens the model's caches ever held, as counted outside the engine. */
  readonly peakTokens: number
  /** The tokens they hold in the end, including the prefix cache. */
  readonly heldTokens: number
  readonly snapshot: EngineSnapshot
}

/** Sends mixed traffic through one engine, and reports the outcome. */
export async function runSoak(options: SoakOptions): Promise<SoakReport> {
  const { concurrency, requests, seed } = options
  const { model, peakTokens, tokens } = watchMemory(options.model)
  const engine = createEngine({ model, queueLimit: concurrency, caches: options.caches })
  const nextRequest = createTraffic(model.info, seed)
  const failures = new Map<string, number>()
  const counts = { started: 0, ended: 0, answered: 0, left: 0, promptTokens: 0, cachedTokens: 0 }

  async function client(): Promise<void> {
    while (counts.started < requests) {
      counts.started += 1
      const request = nextRequest()
      try {
        const cached = await askOnce(engine, request)
        if (cached === undefined) counts.left += 1
        else {
          counts.answered += 1
          counts.promptTokens += request.job.promptIds.length
          counts.cachedTokens += cached
        }
      } catch (error) {
        const text = errorText(error)
        failures.set(text, (failures.get(text) ?? 0) + 1)
      }
      counts.ended += 1
      options.onEnded?.(counts.ended)
    }
  }

  await Promise.all(Array.from({ length: concurrency }, client))
  await engine.close()
  const { answered, left, promptTokens, cachedTokens } = counts
  const peak = peakTokens()
  const held = tokens()
  const outcome = { answered, left, failures, promptTokens, cachedTokens }
  return { ...outcome, peakTokens: peak, heldTokens: held, snapshot: engine.snapshot() }
}

/** @returns cached tokens, or undefined when the client left */
async function askOnce(
  engine: Engine,
  { job, leavesAfter }: ReturnType<ReturnType<typeof createTraffic>>,
): Promise<number | undefined> {
  const client = new AbortController()
  let events = 0
  try {
    for await (const event of engine.generate(job, client.signal)) {
      if (event.type === 'end') return event.cachedTokens
      if (events++ === leavesAfter) client.abort()
    }
  } catch (error) {
    if (!client.signal.aborted) throw error
  }
  return undefined
}
