import { once } from 'node:events'
import { Worker } from 'node:worker_threads'

const worker = new URL('./copy-worker.ts', import.meta.url)

/** Bytes per second that this many threads can read and write together, right now. */
export async function memoryBandwidth(threads: number): Promise<number> {
  const workers = Array.from({ length: threads }, () => new Worker(worker))
  const rates = await Promise.all(
    workers.map(async (one) => (await once(one, 'message'))[0] as number),
  )
  await Promise.all(workers.map((one) => one.terminate()))
  return rates.reduce((sum, rate) => sum + rate, 0)
}
