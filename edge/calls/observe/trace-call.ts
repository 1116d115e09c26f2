import { edgeRoutes, probeRoutes, routes } from '../../../shared/api/routes.ts'
import { recordPhases } from '../../../shared/tracing/phases.ts'
import type { SpanResult, Tracing } from '../../../shared/tracing/tracing.ts'
import type { Call, CallOutcome } from '../call.ts'
import type { EdgeMiddleware, KeepAlive } from '../context.ts'
import { type MeasuredCall, measuredCall } from './measure-call.ts'

export interface TraceParts {
  /** Undefined unless a collector is configured. */
  readonly tracing: Tracing | undefined
  /** Milliseconds, by the clock that `arrivedAt` was read from. */
  readonly now: () => number
  readonly keepAlive: KeepAlive
}

/** Paths that are requested every second or so and would bury the rest. */
const untraced: ReadonlySet<string> = new Set([
  routes.health.path,
  ...Object.values(probeRoutes).map(({ path }) => path),
])

/** Records each request with its parts, as one trace with what its backend records. */
export function traceCalls(tracing: Tracing, parts: Omit<TraceParts, 'tracing'>): EdgeMiddleware {
  return async (c, next) => {
    const { call } = c.var
    const { method, path, raw } = c.req
    if (untraced.has(path)) return next()
    call.span = tracing.begin({ name: method, headers: raw.headers, at: call.arrivedAt })
    await next()
    const { status } = c.res
    const end = async (outcome?: CallOutcome) => {
      endSpans(call, method, measuredCall(call, status, parts.now(), outcome), parts.now())
      if (tracing.flushesWithRequests) await tracing.flush()
    }
    parts.keepAlive(c, call.outcome === undefined ? end() : call.outcome.then(end))
  }
}

function endSpans(call: Call, method: string, measured: MeasuredCall, at: number): void {
  const { span, forwardSpan } = call
  if (span === undefined || !span.isRecorded) return
  const phases = measured.phases
  const isForwarded = ({ name }: { readonly name: string }) =>
    name === 'backend' || name === 'relay'
  recordPhases(
    span,
    phases.filter((phase) => !isForwarded(phase)),
  )
  if (forwardSpan !== undefined) {
    recordPhases(forwardSpan, phases.filter(isForwarded))
    forwardSpan.end(at, {
      error: measured.errorCode,
      attributes: { 'server.address': call.backendId },
    })
  }
  span.end(at, resultOf(call, method, measured))
}

function resultOf(call: Call, method: string, measured: MeasuredCall): SpanResult {
  const { route, status, errorCode, usage, images } = measured
  const path = route && edgeRoutes[route].path
  return {
    name: path === undefined ? method : `${method} ${path}`,
    error: errorCode,
    attributes: {
      'http.request.method': method,
      'http.route': path,
      'http.response.status_code': status,
      'gen_ai.usage.input_tokens': usage?.prompt_tokens,
      'gen_ai.usage.output_tokens': usage?.completion_tokens,
      'describe.request_id': call.requestId,
      'describe.images': images === 0 ? undefined : images,
    },
  }
}
