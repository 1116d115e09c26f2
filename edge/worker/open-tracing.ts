import type { LogLine } from '../../shared/log/log-line.ts'
import { createTracing } from '../../shared/tracing/create-tracing.ts'
import type { Post } from '../../shared/tracing/otlp-sender.ts'
import { LossReport } from '../../shared/tracing/loss-report.ts'
import { tracingConfigOf } from '../../shared/tracing/settings.ts'
import type { Tracing } from '../../shared/tracing/tracing.ts'
import type { WorkerConfig } from './config.ts'

/** Requests of one isolate to the collector at the same time: while it hangs, more would only pile up. */
const concurrency = 4

/** Traces of an isolate, which sends them at the end of each request, because in between none of its code runs. */
export function openTracing(
  settings: WorkerConfig,
  log: (line: LogLine) => void,
): Tracing | undefined {
  const config = tracingConfigOf(settings, 'describe-edge')
  if (config === undefined) return undefined
  const now = () => Date.now()
  const { OTLP_COLLECTOR: binding } = settings
  const send: Post = (url, init) => binding?.fetch(url, init) ?? fetch(url, init)
  const tracing = createTracing({ config, now, concurrency, send, flushesWithRequests: true })
  const losses = new LossReport()
  return {
    ...tracing,
    async flush() {
      await tracing.flush()
      const line = losses.line(tracing.counts(), now())
      if (line !== undefined) log(line)
    },
  }
}
