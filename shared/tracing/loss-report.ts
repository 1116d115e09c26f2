import type { LogLine } from '../log/log-line.ts'
import type { TraceCounts } from './tracing.ts'

/** Milliseconds between two lines about lost spans: a collector that is gone must not flood the log. */
const reportEveryMs = 60_000

/** Reports now and then how many spans were lost since the last report. */
export class LossReport {
  #reported = 0
  #nextAt = 0

  /** @param now milliseconds @returns undefined when there is nothing new, or too early */
  line({ dropped, failed }: TraceCounts, now: number): LogLine | undefined {
    const lost = dropped + failed
    if (lost === this.#reported || now < this.#nextAt) return undefined
    const spans = lost - this.#reported
    this.#reported = lost
    this.#nextAt = now + reportEveryMs
    return { level: 'warn', message: 'spans lost: the collector does not accept them', spans }
  }
}
