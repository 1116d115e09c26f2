import { formatBytes, formatSeconds } from './amounts.ts'

/** How far something is. */
export interface ProgressAmount {
  readonly doneBytes: number
  readonly totalBytes: number
}

/**
 * Takes a line for the operator.
 * @param passing true for a line that the next one replaces, where the output can replace lines
 * @param amount how far the job is, in numbers, for a line that says so
 */
export type Report = (line: string, passing?: boolean, amount?: ProgressAmount) => void

interface ProgressOptions {
  /** What is being done, such as `converting weights`. */
  readonly title: string
  readonly totalBytes: number
  /** Bytes done by an earlier run, which do not count towards the rate. */
  readonly doneBefore?: number
  readonly report: Report
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number
  readonly intervalMs?: number
}

/** Milliseconds between two lines in a log: seldom enough to read, often enough to see progress. */
const logIntervalMs = 5_000

/** Reports the progress of a long job with its rate and the time left: a line now and then, and one at the end. */
export class Progress {
  readonly #options: ProgressOptions
  readonly #begin: number
  #reported: number
  #done = 0

  constructor(options: ProgressOptions) {
    this.#options = options
    this.#begin = options.now()
    this.#reported = this.#begin
  }

  /** Bytes done since the last call; negative for bytes that must be done again. */
  add(bytes: number): void {
    this.#done += bytes
    const { totalBytes, report, now, intervalMs = logIntervalMs } = this.#options
    const time = now()
    if (time - this.#reported < intervalMs) return
    this.#reported = time
    report(this.#line(time), true, { doneBytes: this.#doneBytes, totalBytes })
  }

  end(): void {
    const { title, totalBytes, report, now } = this.#options
    const seconds = (now() - this.#begin) / 1_000
    const line = `${title}: done, ${formatBytes(totalBytes)} in ${formatSeconds(seconds)}`
    report(line, false, { doneBytes: totalBytes, totalBytes })
  }

  get #doneBytes(): number {
    return (this.#options.doneBefore ?? 0) + this.#done
  }

  #line(time: number): string {
    const { title, totalBytes } = this.#options
    const done = this.#doneBytes
    const rate = (this.#done * 1_000) / (time - this.#begin)
    const percent = Math.floor((100 * done) / totalBytes)
    const amount = `${percent} %, ${formatBytes(done)} of ${formatBytes(totalBytes)}`
    if (rate <= 0) return `${title}: ${amount}`
    const left = formatSeconds((totalBytes - done) / rate)
    return `${title}: ${amount}, ${formatBytes(rate)}/s, ${left} left`
  }
}
