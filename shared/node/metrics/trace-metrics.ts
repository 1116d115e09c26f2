import { Counter, type Registry } from 'prom-client'
import type { TraceCounts } from '../../tracing/tracing.ts'

const outcomes = ['sent', 'dropped', 'failed'] as const

/** @param counts undefined while nothing is traced */
export function addTraceMetrics(registry: Registry, counts: () => TraceCounts | undefined): void {
  registry.registerMetric(
    new Counter({
      name: 'describe_trace_spans_total',
      help: 'Spans of traces: sent, dropped (too many waited), failed (the collector did not take them)',
      labelNames: ['outcome'],
      registers: [],
      collect() {
        this.reset()
        for (const outcome of outcomes) this.inc({ outcome }, counts()?.[outcome] ?? 0)
      },
    }),
  )
}
