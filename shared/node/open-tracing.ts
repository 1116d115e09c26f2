import { settlesWithin } from '../async/within-time.ts'
import type { LogLine } from '../log/log-line.ts'
import { LossReport } from '../tracing/loss-report.ts'
import type { TracingConfig } from '../tracing/settings.ts'
import type { Tracing } from '../tracing/tracing.ts'

/** Milliseconds that a program waits at its end for its last spans to be sent. */
const lastSpansMs = 1_000

/** Traces of a program that keeps running, sent at intervals. */
export interface OpenTracing extends Tracing {
  /** Sends the last spans, or gives up after a second. */
  close(): Promise<void>
}

/**
 * Loads OpenTelemetry only where a collector is configured: it takes a tenth of a second.
 * @returns undefined where none is
 */
export async function openTracing(
  config: TracingConfig | undefined,
  log: (line: LogLine) => void,
): Promise<OpenTracing | undefined> {
  if (config === undefined) return undefined
  const { createTracing } = await import('../tracing/create-tracing.ts')
  const now = () => performance.now()
  const tracing = createTracing({ config, now, concurrency: 1, flushesWithRequests: false })
  const losses = new LossReport()
  const timer = setInterval(() => {
    void tracing.flush()
    const line = losses.line(tracing.counts(), now())
    if (line !== undefined) log(line)
  }, config.delayMs)
  // Sending traces is no reason to live on.
  timer.unref()
  return {
    ...tracing,
    async close() {
      clearInterval(timer)
      await settlesWithin(tracing.flush(), lastSpansMs)
    },
  }
}
