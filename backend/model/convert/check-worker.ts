/** A thread that compares files with their digests. */
import { parentPort, workerData } from 'node:worker_threads'
import type { FileDigest } from '../../graph/weights-file.ts'
import { findDamage } from './verify-files.ts'

/** What the thread is started with. */
export interface CheckInit {
  readonly folder: string
  readonly files: Readonly<Record<string, FileDigest>>
}

const { folder, files } = workerData as CheckInit
/** The main thread ends this one instead of asking it to stop. */
const { signal } = new AbortController()
const port = parentPort!
port.postMessage(await findDamage(folder, files, signal))
