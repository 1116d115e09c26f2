import {
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  type Context,
  type Span,
  type Tracer,
} from '@opentelemetry/api'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import { resourceFromAttributes } from '@opentelemetry/resources'
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
  type Sampler,
} from '@opentelemetry/sdk-trace'
import { createOtlpSender, type Post } from './otlp-sender.ts'
import type { SamplerName, TracingConfig } from './settings.ts'
import { SpanQueue } from './span-queue.ts'
import type { BeginSpan, SpanResult, TraceSpan, Tracing } from './tracing.ts'

interface TracingParts {
  readonly config: TracingConfig
  /** Milliseconds, by which the times of spans are given. */
  readonly now: () => number
  /** Requests to the collector at the same time. */
  readonly concurrency: number
  readonly flushesWithRequests: boolean
  /** Reaches the collector. */
  readonly send?: Post
}

/** OpenTelemetry's own spans, sampling, context and wire form, with a queue that keeps the collector apart from requests. */
export function createTracing(parts: TracingParts): Tracing {
  const { config, now, concurrency, flushesWithRequests, send = fetch } = parts
  const queue = new SpanQueue({ send: createOtlpSender(config, send), concurrency })
  const provider = new TracerProvider({
    resource: resourceFromAttributes(config.resource),
    sampler: samplerOf(config.sampler.name, config.sampler.share),
    spanProcessors: [queue],
  })
  const tracer = provider.getTracer('describe-server')
  return {
    flushesWithRequests,
    begin({ name, headers, at }) {
      // The wall clock is set now and then; one request is measured by one difference.
      const epochMs = Date.now() - now()
      const kind = SpanKind.SERVER
      const parent = parentIn(headers)
      return new RecordedSpan(tracer, parent, { name, kind, at, epochMs })
    },
    flush: () => queue.forceFlush(),
    counts: () => queue.counts(),
  }
}

const propagator = new W3CTraceContextPropagator()

/** The root where the headers name no valid parent. */
function parentIn(headers: BeginSpan['headers']): Context {
  const get = (_carrier: unknown, name: string) => headers.get(name) ?? undefined
  return propagator.extract(ROOT_CONTEXT, headers, { get, keys: () => [] })
}

function samplerOf(name: SamplerName, share: number): Sampler {
  const [, parentBased, root] = /^(parentbased_)?(.*)$/.exec(name)!
  const sampler = rootSampler(root!, share)
  return parentBased === undefined ? sampler : new ParentBasedSampler({ root: sampler })
}

function rootSampler(name: string, share: number): Sampler {
  if (name === 'always_off') return new AlwaysOffSampler()
  return name === 'always_on' ? new AlwaysOnSampler() : new TraceIdRatioBasedSampler(share)
}

interface SpanBegin {
  readonly name: string
  readonly kind: SpanKind
  readonly at: number
  /** What to add to a time by the program's clock to get milliseconds since 1970. */
  readonly epochMs: number
}

class RecordedSpan implements TraceSpan {
  readonly #tracer: Tracer
  readonly #context: Context
  readonly #span: Span
  readonly #epochMs: number

  constructor(tracer: Tracer, parent: Context, { name, kind, at, epochMs }: SpanBegin) {
    this.#tracer = tracer
    this.#span = tracer.startSpan(name, { kind, startTime: epochMs + at }, parent)
    this.#context = trace.setSpan(parent, this.#span)
    this.#epochMs = epochMs
  }

  get isRecorded(): boolean {
    return this.#span.isRecording()
  }

  child(name: string, at: number, kind?: 'client'): TraceSpan {
    const begin = { name, at, epochMs: this.#epochMs }
    const spanKind = kind === 'client' ? SpanKind.CLIENT : SpanKind.INTERNAL
    return new RecordedSpan(this.#tracer, this.#context, { ...begin, kind: spanKind })
  }

  headers(): Readonly<Record<string, string>> {
    const headers: Record<string, string> = {}
    const set = (_carrier: unknown, name: string, value: string) => (headers[name] = value)
    propagator.inject(this.#context, headers, { set })
    return headers
  }

  fromEpoch(ms: number): number {
    return ms - this.#epochMs
  }

  end(at: number, { name, attributes = {}, error }: SpanResult = {}): void {
    if (name !== undefined) this.#span.updateName(name)
    this.#span.setAttributes(attributes)
    if (error !== undefined) {
      this.#span.setAttribute('error.type', error)
      this.#span.setStatus({ code: SpanStatusCode.ERROR })
    }
    this.#span.end(this.#epochMs + at)
  }
}
