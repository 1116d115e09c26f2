import { setTimeout as delay } from 'node:timers/promises'
import { Agent } from 'undici'
import { createMixedCalls } from './mixed-calls.ts'
import { helperGrowth, memoryGrowth, memorySample, type MemorySample } from './memory.ts'
import type { SoakProduct } from './product.ts'
import { sendCall } from './send-call.ts'
import { createTally, tallyUp, type Tally } from './tally.ts'
import type { Books } from './verdict.ts'

export interface ServiceSoak {
  readonly product: SoakProduct
  readonly seconds: number
  /** Number of concurrent clients. */
  readonly concurrency: number
  /** Milliseconds a client waits after an answer. */
  readonly pauseMs: number
  readonly secondsPerSample: number
  readonly seed: number
  readonly maxGrowthPercent: number
  readonly onSample: (sample: MemorySample, tally: Tally) => void
}

/** Milliseconds the service gets to notice that the last client has left. */
const settleMs = 5_000

/** Milliseconds that an answer is first expected to take. Clients leave at a share of what the latest ones took on average. */
const firstAnswerMs = 1_000
const averaged = 50

/** Sends mixed load for a given time and samples memory meanwhile. @throws when a program of the service ends */
export async function runServiceSoak(options: ServiceSoak): Promise<Books> {
  const { product, maxGrowthPercent } = options
  const before = await product.metrics()
  const tally = createTally()
  const samples: MemorySample[] = []
  const stop = new AbortController()
  const watching = watchMemory(options, samples, tally, stop.signal)
  try {
    await Promise.race([runClients(options, tally), product.failed, watching])
  } finally {
    stop.abort()
  }
  await watching
  await delay(settleMs)
  const after = await product.metrics()
  const usage = await product.usage()
  const growth = memoryGrowth(samples)
  const moreHelpers = helperGrowth(samples)
  return { tally, before, after, usage, growth, moreHelpers, maxGrowthPercent }
}

async function runClients(options: ServiceSoak, tally: Tally): Promise<void> {
  const { product, seconds, pauseMs, seed, concurrency } = options
  const endsAt = performance.now() + seconds * 1_000
  const nextCall = createMixedCalls(seed)
  // The service's deadlines are the only clocks. One connection per request: a reused one may be closed by the server
  // at that very moment.
  const dispatcher = new Agent({ headersTimeout: 0, bodyTimeout: 0, pipelining: 0 })
  let answerMs = firstAnswerMs
  const client = async () => {
    while (performance.now() < endsAt) {
      const call = nextCall()
      const stayMs = call.leavesAt === undefined ? undefined : call.leavesAt * answerMs
      const key = product.keys[call.role]
      const startedAt = performance.now()
      const outcome = await sendCall({ url: product.url, key, stayMs }, call, dispatcher)
      tallyUp(tally, call, outcome)
      if (call.role === 'stays') answerMs += (performance.now() - startedAt - answerMs) / averaged
      await delay(pauseMs)
    }
  }
  try {
    await Promise.all(Array.from({ length: concurrency }, client))
  } finally {
    await dispatcher.destroy()
  }
}

async function watchMemory(
  { product, secondsPerSample, onSample }: ServiceSoak,
  samples: MemorySample[],
  tally: Tally,
  signal: AbortSignal,
): Promise<void> {
  const startedAt = performance.now()
  while (!signal.aborted) {
    await delay(secondsPerSample * 1_000, undefined, { signal }).catch(() => undefined)
    const seconds = (performance.now() - startedAt) / 1_000
    const sample = memorySample(seconds, await product.metrics())
    samples.push(sample)
    onSample(sample, tally)
  }
}
