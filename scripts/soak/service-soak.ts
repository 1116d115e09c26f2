import { soakProcesses, type MemoryGrowth, type MemorySample } from './service/memory.ts'
import type { Liveness } from './service/liveness.ts'
import { startSoakProduct } from './service/product.ts'
import { runServiceSoak } from './service/run-service-soak.ts'
import type { Tally } from './service/tally.ts'
import { verdict } from './service/verdict.ts'

export interface ServiceSoakOptions {
  readonly minutes: number
  readonly concurrency: number
  readonly pauseMs: number
  readonly seed: number
}

/** "Memory stays" means that the line through the second half rises by no more than this, in percent. */
const maxGrowthPercent = 1

/** At least this many samples, but no more than one every ten seconds. */
const samplesAtLeast = 60
const secondsPerSample = 10

/** Mixed load on the whole service. @returns whether all is well */
export async function serviceSoak(options: ServiceSoakOptions): Promise<boolean> {
  const seconds = options.minutes * 60
  const product = await startSoakProduct({}, console.error)
  try {
    const books = await runServiceSoak({
      ...options,
      product,
      seconds,
      secondsPerSample: Math.min(secondsPerSample, seconds / samplesAtLeast),
      maxGrowthPercent,
      onSample: printSample,
    })
    const problems = verdict(books)
    console.log(books.tally)
    for (const growth of books.growth) console.log(growthLine(growth))
    console.log(problems.length === 0 ? 'All is well' : ['Not well:', ...problems].join('\n  '))
    return problems.length === 0
  } finally {
    for (const liveness of await product.stop()) console.log(livenessLine(liveness))
  }
}

function printSample(sample: MemorySample, { sent, answered, left }: Tally): void {
  const all = soakProcesses.map((name) => `${name} ${sample[name].toFixed(1)}`).join(', ')
  const memory = `${all} (${sample.decodeProcesses} processes, ${sample.workerThreads} threads)`
  const counts = `${sent} requests, ${answered} answered, ${left} left`
  console.log(`${sample.seconds.toFixed(0)} s: ${counts}; MB: ${memory}`)
}

function livenessLine({ program, phase, asked, failed, p50, p99, max }: Liveness): string {
  const [half, most, worst] = [p50, p99, max].map((ms) => ms.toFixed(1))
  const when = phase === 'load' ? 'under load' : 'while the model loads'
  return `/livez of the ${program} ${when}: ${half} ms (p50), ${most} (p99), ${worst} (most), ${failed} of ${asked} failed`
}

function growthLine({ name, megabytes, grownMegabytes, grownPercent }: MemoryGrowth): string {
  return `Memory of ${name}: ${megabytes.toFixed(1)} MB, grew by ${grownMegabytes.toFixed(2)} MB over the second half (${grownPercent.toFixed(2)} %)`
}
