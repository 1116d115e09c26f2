/** Milliseconds of repeated runs. On a shared machine the best run is comparable; the median shows how noisy it was. */
export interface Measured {
  readonly bestMs: number
  readonly medianMs: number
}

/** Runs `action` `times` times, after one run that does not count. */
export async function measure(times: number, action: () => Promise<unknown>): Promise<Measured> {
  await action()
  const durations: number[] = []
  for (let i = 0; i < times; i++) durations.push(await timed(action))
  return summary(durations)
}

/** Milliseconds of one run. */
export async function timed(action: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await action()
  return performance.now() - start
}

const neverNotified = new Int32Array(new SharedArrayBuffer(4))

/** Milliseconds of processor time that this thread has taken; other programs do not add to it. */
export function threadCpuMs(): number {
  // Linux adds up a thread's time when the thread gives way, otherwise at every tick of 4 ms.
  Atomics.wait(neverNotified, 0, 0, 0.01)
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1000
}

export function summary(durations: readonly number[]): Measured {
  const sorted = durations.toSorted((a, b) => a - b)
  return { bestMs: sorted[0]!, medianMs: sorted[sorted.length >> 1]! }
}

export interface BenchRow {
  readonly name: string
  /** What was measured, with its unit. */
  readonly value: string
  /** The value relative to what the machine allows or to another row; empty where there is nothing to compare with. */
  readonly ratio: string
  /** Numbers for the JSON output. */
  readonly data: Readonly<Record<string, number>>
}
