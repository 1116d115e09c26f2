import { Progress, type Report } from '../../../shared/progress/progress.ts'

interface LoadingProgressOptions {
  /** Bytes of the weights files. */
  readonly fileBytes: number
  /** Memory that the weights will take; undefined while they are only checked. */
  readonly weightBytes: number | undefined
  readonly report: Report
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number
  /** Resident memory of this process in bytes. */
  readonly resident: () => number
  readonly intervalMs?: number
}

/**
 * Progress of weights that are checked and loaded side by side. ONNX Runtime does not say how far it is, but the memory of the
 * process grows by what it has loaded. A byte counts half when it is checked, and half when it is loaded: either may be far
 * ahead of the other, and the end is where both are done.
 */
export class LoadingProgress {
  readonly #options: LoadingProgressOptions
  readonly #progress: Progress
  readonly #residentBefore: number
  #checked = 0
  #reported = 0

  constructor(options: LoadingProgressOptions) {
    this.#options = options
    this.#residentBefore = options.resident()
    const { fileBytes, weightBytes, report, now, intervalMs } = options
    this.#progress = new Progress({
      title: weightBytes === undefined ? 'checking weights' : 'checking and loading weights',
      totalBytes: fileBytes,
      report,
      now,
      ...(intervalMs !== undefined && { intervalMs }),
    })
  }

  /** Bytes of files found to be whole since the last call. */
  addChecked(bytes: number): void {
    this.#checked += bytes
  }

  /** To be called now and then. */
  look(): void {
    const done = Math.floor((this.#checked + this.loadedBytes) / 2)
    this.#progress.add(done - this.#reported)
    this.#reported = done
  }

  /** Bytes of files found to be whole. */
  get checkedBytes(): number {
    return this.#checked
  }

  /** Bytes of files that were loaded, estimated; those checked where nothing is loaded meanwhile. */
  get loadedBytes(): number {
    const { fileBytes, weightBytes, resident } = this.#options
    if (weightBytes === undefined) return this.#checked
    const grown = Math.max(0, resident() - this.#residentBefore)
    return Math.floor(fileBytes * Math.min(1, grown / weightBytes))
  }
}
