/** A thread that compares files with their checksums, and reports how far it and the loading beside it are. */
import { parentPort, workerData } from 'node:worker_threads'
import type { FileChecksums } from '../../../graph/weights-file.ts'
import { pacedBy } from '../../loading/keep-pace.ts'
import { writeLoadingLine } from '../../loading/loading-line.ts'
import { LoadingProgress } from '../../loading/loading-progress.ts'
import { findDamage } from './verify-files.ts'

/** Where the progress of loading goes. */
export interface LoadingReport {
  /** File descriptor that lines are written to. */
  readonly pipe: number
  /** Memory that the weights take once they are loaded; undefined when they are only checked. */
  readonly weightBytes: number | undefined
}

/** What the thread is started with. */
export interface CheckInit {
  readonly folder: string
  readonly files: Readonly<Record<string, FileChecksums>>
  readonly report: LoadingReport | undefined
}

/** Milliseconds between two looks at the memory of the process. */
const lookMs = 500

const { folder, files, report } = workerData as CheckInit
/** The main thread ends this one instead of asking it to stop. */
const { signal } = new AbortController()
const port = parentPort!
const progress = report && progressOf(report)
const steps = progress && {
  before: pacedBy(progress, () => performance.now()),
  onChecked: (bytes: number) => progress.addChecked(bytes),
}
port.postMessage(await findDamage(folder, files, signal, steps))

/** The main thread ends this one when the weights are loaded as well. */
function progressOf({ pipe, weightBytes }: LoadingReport): LoadingProgress {
  const loading = new LoadingProgress({
    fileBytes: Object.values(files)
      .flatMap(({ parts }) => parts)
      .reduce((sum, { bytes }) => sum + bytes, 0),
    weightBytes,
    report: (text, _passing, amount) => {
      if (amount !== undefined) writeLoadingLine(pipe, { text, amount })
    },
    now: () => performance.now(),
    resident: () => process.memoryUsage.rss(),
  })
  setInterval(() => loading.look(), lookMs)
  return loading
}
