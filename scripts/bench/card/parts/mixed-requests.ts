import { createEngine } from '../../../../backend/engine/engine.ts'
import type { Engine, GenerateJob } from '../../../../backend/engine/job.ts'
import type { CardBench } from '../open-card-bench.ts'
import type { BenchRow } from '../../measure.ts'
import { percent } from '../../text.ts'
import { usedMemory } from './used-memory.ts'

interface MixOptions {
  readonly requests: number
  readonly isSoftware: boolean
}

/** Share of the requests after which everything that is kept for later has been made. */
const warmUpShare = 0.25

/** Growth after that which is not a leak. */
const flatWithin = 0.02

/** With fewer requests, what is kept for later has not been made in the first quarter. */
const fewestJudged = 200

/** Of a request, in tokens: [least, most]. */
const sizes = {
  hardware: { prompt: [4, 300], answer: [1, 48] },
  software: { prompt: [2, 24], answer: [1, 6] },
} as const

/**
 * Requests of all sizes, some with two answers and some that are given up, from more callers than there are slots.
 * Memory must not grow once it has seen all kinds.
 * @throws {Error} when it does, and the requests were enough to tell
 */
export async function* mixedRequests(
  { model, slots }: CardBench,
  { requests, isSoftware }: MixOptions,
): AsyncGenerator<BenchRow> {
  const caches = { kvTokens: model.info.cacheTokens!, prefixTokens: 4096 }
  const engine = createEngine({ model, queueLimit: 4 * slots, caches })
  const samples: { done: number; bytes: number }[] = []
  const every = Math.max(1, Math.floor(requests / 40))
  const start = performance.now()
  let tokens = 0
  let next = 0
  let done = 0
  const caller = async () => {
    while (next < requests) {
      const index = next
      next += 1
      const job = mixedJob(index, sizes[isSoftware ? 'software' : 'hardware'])
      const received = await ask(engine, job, index)
      // Callers share the sum, so nothing may happen between its reading and its writing.
      tokens += received
      done += 1
      if (done % every === 0) samples.push({ done, bytes: (await usedMemory(isSoftware)).bytes })
    }
  }
  await Promise.all(Array.from({ length: 2 * slots }, caller))
  const seconds = (performance.now() - start) / 1000
  await engine.close()
  const { kind } = await usedMemory(isSoftware)
  const growth = growthOf(samples, requests)
  yield {
    name: `${requests} mixed requests, ${slots} slots`,
    value: `${(requests / seconds).toFixed(1)} a second, ${(tokens / seconds).toFixed(0)} tok/s`,
    ratio: '',
    data: { requests, seconds, tokens },
  }
  yield {
    name: `${kind} while they run`,
    value: `${((samples.at(-1)?.bytes ?? 0) / 1e9).toFixed(2)} GB at the end`,
    ratio: `${growth < 0 ? '' : '+'}${percent(growth)} after the first quarter`,
    data: { growth },
  }
  if (requests >= fewestJudged && growth > flatWithin)
    throw new Error(`${kind} grew by ${percent(growth)}`)
}

/** Largest of the last quarter, compared with the largest of the first one. */
function growthOf(samples: readonly { done: number; bytes: number }[], requests: number): number {
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
  { prompt, answer }: Record<'prompt' | 'answer', readonly [number, number]>,
): GenerateJob {
  const between = ([least, most]: readonly [number, number], step: number) =>
    least + ((index * step) % (most - least + 1))
  const length = between(prompt, 37)
  // Every third prompt begins like others, so that there is something to be found in the prefix cache.
  const first = index % 3 === 0 ? 7 : index
  return {
    id: `mixed-${index}`,
    tenant: `tenant-${index % 5}`,
    priority: index % 7 === 0 ? 'batch' : 'interactive',
    promptIds: Int32Array.from({ length }, (_, i) => (first * 7919 + i * 104_729) % 100_000),
    images: [],
    maxTokens: between(answer, 11),
    stopIds: [],
    controlIdsFrom: 163_584,
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
