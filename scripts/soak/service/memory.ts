import { sumOf, type Metrics } from '../../../shared/metrics/read-metrics.ts'
import { slope, slopeBeside } from '../slope.ts'

/**
 * Resident megabytes of each process at one moment; the image processes, of which there are `decodeProcesses`, are
 * taken together.
 */
export type MemorySample = Readonly<Record<'seconds' | Helpers | SoakProcess, number>>

/** Image processes, and threads of the backend: both come and go as there is work for them. */
const helpers = ['decodeProcesses', 'workerThreads'] as const
type Helpers = (typeof helpers)[number]

export const soakProcesses = ['edge', 'backend', 'engine', 'decode'] as const
type SoakProcess = (typeof soakProcesses)[number]

export function memorySample(
  seconds: number,
  { edge, backend }: Readonly<Record<'edge' | 'backend', Metrics>>,
): MemorySample {
  const megabytes = (metrics: Metrics, name: string) => Number(metrics.get(name)) / 1e6
  const child = (name: string) =>
    megabytes(backend, `describe_child_resident_memory_bytes{process="${name}"}`)
  return {
    seconds,
    edge: megabytes(edge, 'process_resident_memory_bytes'),
    backend: megabytes(backend, 'process_resident_memory_bytes'),
    engine: child('engine'),
    decode: child('decode'),
    decodeProcesses: Number(backend.get('describe_decode_processes')),
    workerThreads: Number(backend.get('describe_worker_threads')),
  }
}

export interface MemoryGrowth {
  readonly name: string
  /** Mean over the second half. */
  readonly megabytes: number
  /** By how much the straight line through the second half rises from its beginning to its end. */
  readonly grownMegabytes: number
  readonly grownPercent: number
}

/**
 * How much the memory of each process, and of all together, grew over the second half; the first half warms caches and
 * compilers.
 */
export function memoryGrowth(samples: readonly MemorySample[]): readonly MemoryGrowth[] {
  const settled = withSteadyCounts(samples.slice(Math.floor(samples.length / 2)))
  const seconds = (settled.at(-1)?.seconds ?? 0) - (settled[0]?.seconds ?? 0)
  const growthOf = (name: string, read: (sample: MemorySample) => number): MemoryGrowth => {
    const megabytes = settled.reduce((sum, one) => sum + read(one), 0) / settled.length
    const points = settled.map((one) => ({ x: one.seconds, y: read(one) }))
    const grownMegabytes = slope(points) * seconds
    return { name, megabytes, grownMegabytes, grownPercent: (100 * grownMegabytes) / megabytes }
  }
  const total = (sample: MemorySample) => soakProcesses.reduce((sum, name) => sum + sample[name], 0)
  return [
    ...soakProcesses.map((name) => growthOf(name, (sample) => sample[name])),
    growthOf('all', total),
  ]
}

/**
 * A client that leaves may end an image process, which is then replaced by a new one, and a thread that compiles
 * schemas ends after a minute without one: a tenth of the memory comes and goes at random. What each of them holds must
 * not grow, so memory is computed as if there had always been the mean number of them.
 */
function withSteadyCounts(samples: readonly MemorySample[]): readonly MemorySample[] {
  const mean = (name: Helpers) => samples.reduce((sum, one) => sum + one[name], 0) / samples.length
  const [processes, threads] = helpers.map(mean) as [number, number]
  const threadMegabytes = slopeBeside(
    samples.map((one) => ({ x: one.workerThreads, y: one.backend, beside: one.seconds })),
  )
  return samples.map((one) => ({
    ...one,
    decode: (one.decode / one.decodeProcesses) * processes,
    backend: one.backend - threadMegabytes * (one.workerThreads - threads),
  }))
}

/** By how many the number of such helpers grew over the second half. */
export function helperGrowth(samples: readonly MemorySample[]): Readonly<Record<Helpers, number>> {
  const settled = samples.slice(Math.floor(samples.length / 2))
  const seconds = (settled.at(-1)?.seconds ?? 0) - (settled[0]?.seconds ?? 0)
  const grown = (name: Helpers) =>
    slope(settled.map((one) => ({ x: one.seconds, y: one[name] }))) * seconds
  return { decodeProcesses: grown('decodeProcesses'), workerThreads: grown('workerThreads') }
}

/** Identifies the runs of all processes, which must be the same at the end: start times, and starts of the engine. */
export function runsOf({ edge, backend }: Readonly<Record<'edge' | 'backend', Metrics>>): string {
  const started = 'process_start_time_seconds'
  const restarts = sumOf(backend, 'describe_engine_restarts_total')
  return [edge.get(started), backend.get(started), restarts].join(' ')
}
