import { setTimeout as sleep } from 'node:timers/promises'
import { createEngine } from '../../../backend/engine/engine.ts'
import type { Engine, GenerateJob } from '../../../backend/engine/job.ts'
import type { Model } from '../../../backend/model/model.ts'
import type { BenchRow } from '../measure.ts'
import { job, never, tokenTimes } from './jobs.ts'

/** Median and tail of gaps, in milliseconds. */
interface Quantiles {
  readonly p50: number
  readonly p99: number
}

interface StreamGaps {
  /** Duration of the disturbance, from submission to completion. */
  readonly ms: number
  readonly alone: Quantiles
  readonly during: Quantiles
}

/** Tokens of a stream: more than can arrive during any measurement. */
const mostStreamed = 8_000

/** How long streams run alone before and after a disturbance: enough for a 99th percentile, and to see drift. */
const aloneMs = 8_000

/** Gaps of two streams, with and without `disturb` running. */
export async function gapsBeside(model: Model, disturb: GenerateJob): Promise<StreamGaps> {
  const engine = createEngine({ model, queueLimit: 8 })
  const done = new AbortController()
  const streams = [1, 2].map(() => tokenTimesUntil(engine, done.signal))
  await sleep(aloneMs)
  const from = performance.now()
  const [until] = await tokenTimes(engine.generate(disturb, never()))
  await sleep(aloneMs)
  done.abort()
  const gaps = (await Promise.all(streams)).flatMap((times) =>
    times.slice(1).map((time, i) => ({ at: time, ms: time - times[i]! })),
  )
  await engine.close()
  const isDuring = ({ at }: { at: number }) => at > from && at < until!
  return {
    ms: until! - from,
    alone: quantiles(gaps.filter((gap) => !isDuring(gap))),
    during: quantiles(gaps.filter(isDuring)),
  }
}

/** Arrival times of a stream that continues until `leave` fires. @throws {Error} when it ends by itself first */
async function tokenTimesUntil(engine: Engine, leave: AbortSignal): Promise<number[]> {
  const times: number[] = []
  try {
    for await (const event of engine.generate(job(40, mostStreamed), leave)) {
      if (event.type === 'tokens') times.push(performance.now())
    }
  } catch (error) {
    if (leave.aborted) return times
    throw error
  }
  throw new Error('A stream ended before the work it was to run beside')
}

function quantiles(gaps: readonly { readonly ms: number }[]): Quantiles {
  const sorted = gaps.map(({ ms }) => ms).toSorted((a, b) => a - b)
  const at = (q: number) => sorted[Math.floor(sorted.length * q)] ?? Number.NaN
  return { p50: at(0.5), p99: at(0.99) }
}

export function gapsRow(
  name: string,
  { alone, during, ms }: StreamGaps,
  readingAloneMs: number,
): BenchRow {
  const format = ({ p50, p99 }: Quantiles) => `${p50.toFixed(0)}, ${p99.toFixed(0)} ms`
  const times = (value: number, of: number) => `${(value / of).toFixed(2)} x`
  return {
    name,
    value: `p50, p99: ${format(during)}; alone ${format(alone)}`,
    ratio: `p50 ${times(during.p50, alone.p50)}, p99 ${times(during.p99, alone.p99)}, ${times(during.p99, alone.p50)} the p50 alone; it takes ${times(ms, readingAloneMs)} as long as alone`,
    data: {
      p50: during.p50,
      p99: during.p99,
      aloneP50: alone.p50,
      aloneP99: alone.p99,
      ms,
      readingAloneMs,
    },
  }
}
