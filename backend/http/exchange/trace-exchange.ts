import type { MiddlewareHandler } from 'hono'
import { type Phase, recordPhases } from '../../../shared/tracing/phases.ts'
import type { SpanAttributes, TraceSpan, Tracing } from '../../../shared/tracing/tracing.ts'
import type { BackendEnv, Exchange, ExchangePhase } from './exchange.ts'
import { isProbePath, knownPathOf, statusOf } from './log-exchange.ts'

/** What traces say about the model, in addition to each request. */
interface TraceOptions {
  readonly tracing: Tracing
  readonly modelId: string
  /** Milliseconds on a monotonic clock. */
  readonly now: () => number
}

/** Records each request with its parts, which belong to the trace of the edge, or of whatever client it has. */
export function traceExchange({
  tracing,
  modelId,
  now,
}: TraceOptions): MiddlewareHandler<BackendEnv> {
  return async function traceIt(c, next) {
    const route = knownPathOf(c.req.path)
    if (isProbePath(route)) return next()
    const exchange = c.get('exchange')
    const { method, raw } = c.req
    const at = now()
    const name = route === null ? method : `${method} ${route}`
    const span = tracing.begin({ name, headers: raw.headers, at })
    exchange.span = span
    exchange.phases.enter('read', at)
    exchange.onEnd(() => {
      if (!span.isRecorded) return
      const end = now()
      recordParts(span, exchange, modelId, end)
      const attributes = {
        'http.request.method': method,
        'http.route': route ?? undefined,
        'http.response.status_code': statusOf(c.env.outgoing),
        'describe.request_id': exchange.requestId,
      }
      span.end(end, { attributes, error: exchange.facts.errorCode })
    })
    await next()
  }
}

/** Reading the request comes before the model's part, which has phases of its own. */
function recordParts(span: TraceSpan, exchange: Exchange, modelId: string, end: number): void {
  const phases = exchange.phases.until(end)
  const before = phases.filter(isBefore)
  const own = phases.slice(before.length)
  recordPhases(span, before)
  const [first] = own
  if (first === undefined) return
  const generation = span.child(`chat ${modelId}`, first.from)
  recordPhases(generation, own)
  generation.end(end, {
    attributes: generationAttributes(exchange, modelId),
    error: exchange.facts.errorCode,
  })
}

function isBefore({ name }: Phase<ExchangePhase>): boolean {
  return name === 'read' || name === 'fetch'
}

/** As OpenTelemetry's conventions for generative AI name them. */
function generationAttributes({ requestId, facts }: Exchange, modelId: string): SpanAttributes {
  const { usage, finishReasons, maxTokens, choices, images } = facts
  return {
    'gen_ai.operation.name': 'chat',
    'gen_ai.provider.name': 'describe-server',
    'gen_ai.request.model': modelId,
    'gen_ai.response.model': modelId,
    'gen_ai.response.id': requestId,
    'gen_ai.response.finish_reasons': finishReasons,
    'gen_ai.request.max_tokens': maxTokens,
    'gen_ai.request.choice.count': choices === 1 ? undefined : choices,
    'gen_ai.usage.input_tokens': usage?.prompt_tokens,
    'gen_ai.usage.output_tokens': usage?.completion_tokens,
    'gen_ai.usage.cache_read.input_tokens': usage?.cached_tokens,
    'describe.images': images,
    'describe.image_tokens': usage?.image_tokens,
  }
}
