import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'
import { edgeRoutes } from '../../../shared/api/routes.ts'
import { durationBuckets } from '../../../shared/node/metrics/buckets.ts'
import { addTraceMetrics } from '../../../shared/node/metrics/trace-metrics.ts'
import type { TraceCounts } from '../../../shared/tracing/tracing.ts'
import type { CallMeasure, MeasuredCall } from '../../calls/observe/measure-call.ts'

export interface EdgeMetrics {
  readonly registry: Registry
  readonly measure: CallMeasure
}

/** The metrics of the edge on Node. `docs/operations.md` lists them. @param traceCounts of what it traces, if anything */
export function createEdgeMetrics(traceCounts?: () => TraceCounts): EdgeMetrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  addTraceMetrics(registry, () => traceCounts?.())
  const running = new Gauge({
    name: 'describe_edge_requests_running',
    help: 'Requests under way',
    registers: [registry],
  })
  // Every key is looked up in the store itself, so a revocation takes effect at once.
  new Gauge({
    name: 'describe_edge_revocation_age_seconds',
    help: 'For how long a revocation may have gone unnoticed: 0, because each request asks the store',
    registers: [registry],
  }).set(0)
  const unrecorded = new Counter({
    name: 'describe_edge_usage_unrecorded_total',
    help: 'Calls whose usage could not be recorded, and does not count towards limits',
    registers: [registry],
  })
  const countRequest = requestCounter(registry)
  const countUsage = usageCounter(registry)
  return {
    registry,
    measure: {
      began: () => running.inc(),
      ended(call) {
        running.dec()
        countRequest(call)
        countUsage(call)
      },
      unrecorded: () => unrecorded.inc(),
    },
  }
}

function requestCounter(registry: Registry) {
  const registers = [registry]
  const requests = new Counter({
    name: 'describe_edge_requests_total',
    help: 'Requests that have ended, by route, HTTP status and error code',
    labelNames: ['route', 'status', 'code'],
    registers,
  })
  const duration = new Histogram({
    name: 'describe_edge_request_duration_seconds',
    help: 'From the arrival of a request to the last byte of its answer',
    labelNames: ['route'],
    buckets: durationBuckets,
    registers,
  })
  const phaseSeconds = new Histogram({
    name: 'describe_edge_phase_duration_seconds',
    help: 'Parts of that: authenticate, read (body), reserve (limits), fetch (image URLs), backend (until its answer begins), relay (until it has ended)',
    labelNames: ['phase'],
    buckets: durationBuckets,
    registers,
  })
  return ({ route, status, errorCode, ms, phases }: MeasuredCall) => {
    const label = route === undefined ? 'other' : edgeRoutes[route].path
    requests.inc({ route: label, status: String(status), code: errorCode ?? 'none' })
    duration.observe({ route: label }, ms / 1_000)
    for (const { name, from, to } of phases)
      phaseSeconds.observe({ phase: name }, (to - from) / 1_000)
  }
}

function usageCounter(registry: Registry) {
  const registers = [registry]
  const tokens = new Counter({
    name: 'describe_edge_tokens_total',
    help: 'Tokens that calls of keys have used: input includes image',
    labelNames: ['type'],
    registers,
  })
  const images = new Counter({
    name: 'describe_edge_images_total',
    help: 'Pictures that calls of keys have used',
    registers,
  })
  return ({ usage, images: count }: MeasuredCall) => {
    if (usage === undefined) return
    tokens.inc({ type: 'input' }, usage.prompt_tokens)
    tokens.inc({ type: 'image' }, usage.image_tokens)
    tokens.inc({ type: 'output' }, usage.completion_tokens)
    images.inc(count)
  }
}
