import { collectDefaultMetrics, Counter, Histogram, Registry } from 'prom-client'
import type { ErrorCode } from '../../shared/api/errors.ts'
import type { AnswerUsage, Timings, Usage } from '../../shared/api/events.ts'
import { durationBuckets, gapBuckets, tokenBuckets } from '../../shared/node/metrics/buckets.ts'
import { addTraceMetrics } from '../../shared/node/metrics/trace-metrics.ts'
import type { TraceCounts } from '../../shared/tracing/tracing.ts'
import { addEngineMetrics, type EngineMetricsParts } from './engine-metrics.ts'

/**
 * A completed request, as it is counted. Clients cannot invent values, so there are only as many labels as in the
 * tables they come from.
 */
interface CountedExchange {
  /** The path as in the route table; null for any other. */
  readonly route: string | null
  readonly status: number
  readonly errorCode: ErrorCode | undefined
  /** From its headers to the last byte of its answer. */
  readonly ms: number
  readonly images: number
  readonly choices: number
  /** What it used, even if it failed. */
  readonly usage: (Usage & Partial<AnswerUsage>) | undefined
  /** Only for a complete answer. */
  readonly timings: Timings | undefined
}

export interface BackendMetrics {
  readonly registry: Registry
  count(exchange: CountedExchange): void
  /** Two consecutive arrivals of tokens of one answer. */
  readonly countGap: (ms: number) => void
}

/** The backend's metrics. `docs/operations.md` lists them. @param traceCounts of what it traces, if anything */
export function createBackendMetrics(
  parts: EngineMetricsParts,
  traceCounts?: () => TraceCounts,
): BackendMetrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  addEngineMetrics(registry, parts)
  addTraceMetrics(registry, () => traceCounts?.())
  const gaps = gapHistogram(registry)
  const countRequest = requestCounter(registry)
  const countWork = workCounter(registry)
  return {
    registry,
    count(exchange) {
      countRequest(exchange)
      countWork(exchange)
    },
    countGap: (ms) => gaps.observe(ms / 1_000),
  }
}

function gapHistogram(registry: Registry): Histogram {
  return new Histogram({
    name: 'describe_token_gap_seconds',
    help: 'Between two arrivals of tokens of an answer: every pause that the reader of a stream sees',
    buckets: gapBuckets,
    registers: [registry],
  })
}

function requestCounter(registry: Registry) {
  const registers = [registry]
  const requests = new Counter({
    name: 'describe_requests_total',
    help: 'Requests that have ended, by route, HTTP status and error code',
    labelNames: ['route', 'status', 'code'],
    registers,
  })
  const duration = new Histogram({
    name: 'gen_ai_server_request_duration_seconds',
    help: 'From the head of a request to the last byte of its answer',
    labelNames: ['route'],
    buckets: durationBuckets,
    registers,
  })
  return ({ route, status, errorCode, ms }: CountedExchange) => {
    const label = route ?? 'other'
    requests.inc({ route: label, status: String(status), code: errorCode ?? 'none' })
    duration.observe({ route: label }, ms / 1_000)
  }
}

function workCounter(registry: Registry) {
  const registers = [registry]
  const tokens = new Counter({
    name: 'describe_tokens_total',
    help: 'Tokens of requests, as in their usage: input includes image and cached',
    labelNames: ['type'],
    registers,
  })
  const images = new Counter({
    name: 'describe_images_total',
    help: 'Pictures of requests that used the model',
    registers,
  })
  const firstToken = new Histogram({
    name: 'gen_ai_server_time_to_first_token_seconds',
    help: 'From the validated request to its first token: preparing, waiting, looking at pictures and prefill',
    buckets: durationBuckets,
    registers,
  })
  const perToken = new Histogram({
    name: 'gen_ai_server_time_per_output_token_seconds',
    help: 'Mean time between two tokens of an answer, after its first',
    buckets: tokenBuckets,
    registers,
  })
  return (exchange: CountedExchange) => {
    const { usage, timings } = exchange
    if (usage === undefined) return
    tokens.inc({ type: 'input' }, usage.prompt_tokens)
    tokens.inc({ type: 'image' }, usage.image_tokens)
    tokens.inc({ type: 'cached' }, usage.cached_tokens ?? 0)
    tokens.inc({ type: 'output' }, usage.completion_tokens)
    images.inc(exchange.images)
    if (timings === undefined) return
    const { prepare_ms, queue_ms, vision_ms, prefill_ms, decode_ms } = timings
    firstToken.observe((prepare_ms + queue_ms + vision_ms + prefill_ms) / 1_000)
    const gaps = usage.completion_tokens / exchange.choices - 1
    if (gaps >= 1) perToken.observe(decode_ms / gaps / 1_000)
  }
}
