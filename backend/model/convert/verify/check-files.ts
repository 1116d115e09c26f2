import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { FileChecksums } from '../../../graph/weights-file.ts'
import type { CheckInit, LoadingReport } from './check-worker.ts'
import { findDamage } from './verify-files.ts'

const workerFile = new URL('./check-worker.ts', import.meta.url)

/** A thread, which takes a tenth of a second to start, pays off from here. */
const leastThreadBytes = 256 * 1024 * 1024

/**
 * The same as `findDamage`. Large files are compared in a thread of their own: opening a session blocks this one for as long as
 * it reads and packs the weights, and both can read the same files at the same time.
 * @param report where the progress of both goes, if anywhere
 */
export async function checkFiles(
  folder: string,
  files: Readonly<Record<string, FileChecksums>>,
  signal: AbortSignal,
  report?: LoadingReport,
): Promise<string | undefined> {
  const bytes = Object.values(files).reduce((sum, file) => sum + file.bytes, 0)
  if (bytes < leastThreadBytes) return findDamage(folder, files, signal)
  const workerData: CheckInit = { folder, files, report }
  const worker = new Worker(workerFile, { workerData })
  try {
    const [damage] = (await once(worker, 'message', { signal })) as [string | undefined]
    return damage
  } finally {
    await worker.terminate()
  }
}
