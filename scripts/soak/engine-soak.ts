import { availableParallelism } from 'node:os'
import { loadModel } from '../../backend/model/load-model.ts'
import { runSoak } from './engine/run-soak.ts'
import { slope } from './slope.ts'

const requestsPerSample = 100
const requestsPerLine = 1_000

/** Deliberately tight, so that sequences constantly wait to grow and blocks are evicted all the time. */
const caches = { kvTokens: 4096, prefixTokens: Infinity, imageBytes: 1_000_000 }

/** Mixed requests through the engine alone. @returns whether nothing failed, was exceeded or is left over */
export async function engineSoak(requests: number): Promise<boolean> {
  const model = await loadModel({
    checkpointDir: 'models/kimi-vl-nano',
    modelsDir: '.local/models',
    weights: 'q8',
    slots: 4,
    threads: availableParallelism(),
  })
  const samples: { x: number; y: number }[] = []
  const report = await runSoak({
    model,
    caches,
    requests,
    concurrency: 64,
    seed: 1,
    onEnded(count) {
      if (count % requestsPerSample !== 0) return
      const rssMb = process.memoryUsage.rss() / 1e6
      samples.push({ x: count, y: rssMb })
      if (count % requestsPerLine === 0) console.log(`${count} requests, ${rssMb.toFixed(1)} MB`)
    },
  })
  await model.close()
  // The first half warms caches and compilers.
  const settled = samples.slice(samples.length / 2)
  const growthMb = slope(settled) * 1_000
  const lastMb = samples.at(-1)?.y ?? NaN
  const { failures, peakTokens, heldTokens, snapshot, ...counts } = report
  const { memory } = snapshot
  console.log({ ...counts, failures, peakTokens, heldTokens, snapshot })
  console.log(
    `Resident memory: ${growthMb.toFixed(2)} MB per 1,000 requests over the second half, ` +
      `${((100 * growthMb) / lastMb).toFixed(2)} % of ${lastMb.toFixed(1)} MB`,
  )
  const left = snapshot.slotsInUse + snapshot.queued + snapshot.cachedTokens + memory.slotTokens
  const clean = left === 0 && heldTokens === memory.prefixTokens
  return clean && failures.size === 0 && peakTokens <= memory.limitTokens
}
