import { createEngine } from '../../../../backend/engine/engine.ts'
import type { Engine, GenerateJob } from '../../../../backend/engine/job.ts'
import type { Model } from '../../../../backend/model/model.ts'
import type { BenchRow } from '../../measure.ts'
import type { UsedMemory } from '../used-memory.ts'

/** Of a request, in tokens: [least, most]. */
export interface RequestSizes {
  readonly prompt: readonly [number, number]
  readonly answer: readonly [number, number]
  /** Tokens of every fiftieth prompt; as those of others unless given. */
  readonly longPrompt?: number
}

/** One in this many requests has a long prompt. */
export const longEvery = 50

interface MixOptions {
  readonly requests: number
  /** Callers are twice as many. */
  readonly slots: number
  readonly sizes: RequestSizes
  /** Ids from here upwards are in no prompt, and never sampled. */
  readonly controlIdsFrom: number
  readonly usedMemory: () => Promise<UsedMemory>
  /** Milliseconds in which requests begin; see `Step`. */
  readonly leftMs: () => number
}

/** Share of the requests after which everything that is kept for later has been made. */
const warmUpShare = 0.25

/** Growth after that which is not a leak. */
const flatWithin = 0.02

/** With fewer requests, what is kept for later has not been made in the first quarter. */
const fewestJudged = 200

/**
 * Requests of all sizes, some with two answers and some that are given up, from more callers than there are slots.
 * Memory must not grow once it has seen all kinds.
 * @throws {Error} when it does, if there were enough requests to judge
 */
export async function* mixedRequests(model: Model, options: MixOptions): AsyncGenerator<BenchRow> {
  const { requests, slots, usedMemory, leftMs } = options
  const caches = { kvTokens: model.info.cacheTokens!, prefixTokens: 4096 }
  const engine = createEngine({ model, queueLimit: 4 * slots, caches, speculates: true })
  const samples: Sample[] = []
  // So that there are several in the first quarter of however many are judged.
  const every = Math.max(1, Math.floor(Math.min(requests / 40, fewestJudged / 8)))
  const start = performance.now()
  let tokens = 0
  let next = 0
  let done = 0
  const caller = async () => {
    while (next < requests && leftMs() > 0) {
      const index = next
      next += 1
      const received = await ask(engine, mixedJob(index, options), index)
      // Callers share the sum, so nothing may happen between its reading and its writing.
      tokens += received
      done += 1
      if (done % every === 0) samples.push({ done, bytes: (await usedMemory()).bytes })
    }
  }
  await Promise.all(Array.from({ length: 2 * slots }, caller))
  const seconds = (performance.now() - start) / 1000
  await engine.close()
  const { kind } = await usedMemory()
  const all = done < requests ? `${done} of ${requests}, for which there was time,` : `${done}`
  yield {
    name: `${all} mixed requests, ${slots} slots`,
    value: `${(done / seconds).toFixed(1)} a second, ${(tokens / seconds).toFixed(0)} tok/s`,
    ratio: '',
    data: { requests: done, seconds, tokens },
  }
  if (done < fewestJudged) return
  const growth = growthOf(samples, done)
  yield growthRow(kind, samples.at(-1)!.bytes, growth)
  if (growth > flatWithin) throw new Error(`${kind} grew by ${(100 * growth).toFixed(1)} %`)
}

function growthRow(kind: UsedMemory['kind'], bytes: number, growth: number): BenchRow {
  return {
    name: `${kind} while they run`,
    value: `${(bytes / 1e9).toFixed(2)} GB at the end`,
    ratio: `${growth < 0 ? '' : '+'}${(100 * growth).toFixed(1)} % after the first quarter`,
    data: { growth },
  }
}

/** Memory in use after this many requests. */
interface Sample {
  readonly done: number
  readonly bytes: number
}

/** Largest of the last quarter, compared with the largest of the first one. */
function growthOf(samples: readonly Sample[], requests: number): number {
  const most = (from: number, to: number) =>
    Math.max(
      ...samples
        .filter(({ done }) => done > from * requests && done <= to * requests)
        .map(({ bytes }) => bytes),
    )
  return most(1 - warmUpShare, 1) / most(0, warmUpShare) - 1
}

function mixedJob(
  index: number,
  { sizes: { prompt, answer, longPrompt }, controlIdsFrom }: MixOptions,
): GenerateJob {
  const between = ([least, most]: readonly [number, number], step: number) =>
    least + ((index * step) % (most - least + 1))
  const isLong = longPrompt !== undefined && index % longEvery === longEvery - 1
  const length = isLong ? longPrompt : between(prompt, 37)
  // Every third prompt begins like others, so that there is something to be found in the prefix cache.
  const first = index % 3 === 0 ? 7 : index
  const ids = Math.min(100_000, controlIdsFrom)
  return {
    id: `mixed-${index}`,
    tenant: `tenant-${index % 5}`,
    priority: index % 7 === 0 ? 'batch' : 'interactive',
    promptIds: Int32Array.from({ length }, (_, i) => (first * 7919 + i * 104_729) % ids),
    images: [],
    maxTokens: between(answer, 11),
    stopIds: [],
    controlIdsFrom,
    sampling: { temperature: index % 2, topP: 0.9, seed: index },
    choices: index % 20 === 5 ? 2 : 1,
  }
}

/** Every sixteenth is given up at its first token. @returns the tokens that arrived */
async function ask(engine: Engine, job: GenerateJob, index: number): Promise<number> {
  const leave = new AbortController()
  let tokens = 0
  try {
    for await (const event of engine.generate(job, leave.signal)) {
      if (event.type !== 'tokens') continue
      tokens += event.ids.length
      if (index % 16 === 9) leave.abort()
    }
  } catch (error) {
    if (!leave.signal.aborted) throw error
  }
  return tokens
}
