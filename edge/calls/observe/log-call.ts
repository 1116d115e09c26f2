import { errorKinds, type ServiceError } from '../../../shared/api/errors.ts'
import { edgeRoutes, probeRoutes } from '../../../shared/api/routes.ts'
import { levelOfAnswer } from '../../../shared/log/answer-level.ts'
import type { LogLine } from '../../../shared/log/log-line.ts'
import type { RequestLine } from '../../../shared/log/request-line.ts'
import type { Call, CallOutcome } from '../call.ts'
import type { EdgeMiddleware, KeepAlive } from '../context.ts'
import { type CallMeasure, measuredCall } from './measure-call.ts'

export interface LogParts {
  readonly log: (line: LogLine) => void
  /** Milliseconds, by the clock that `arrivedAt` was read from. */
  readonly now: () => number
  readonly keepAlive: KeepAlive
  /** Undefined where calls are not counted. */
  readonly measure: CallMeasure | undefined
}

/**
 * Writes one line per request once its answer has ended. Never keys, prompts, URLs or path contents: an unknown path
 * is not logged.
 */
export function logCalls({ log, now, keepAlive, measure }: LogParts): EdgeMiddleware {
  return async (c, next) => {
    measure?.began()
    await next()
    const { call } = c.var
    const answer = {
      status: c.res.status,
      requestBytes: byteCount(c.req.header('content-length')),
      bytes: byteCount(c.res.headers.get('content-length')),
    }
    const end = (outcome?: CallOutcome) => {
      const endedAt = now()
      const whole = { ...answer, endedWith: outcome?.errorCode }
      log({ ...lineOf(call, whole, endedAt), ...(outcome && fieldsOf(outcome)) })
      try {
        measure?.ended(measuredCall(call, answer.status, endedAt, outcome))
      } catch (cause) {
        const line = { request_id: call.requestId, detail: String(cause) }
        log({ level: 'error', message: 'request not counted', ...line })
      }
    }
    if (call.outcome === undefined) return end()
    const ended = call.outcome.then(end)
    keepAlive(c, ended)
  }
}

interface Answer {
  readonly status: number
  readonly requestBytes: number | null
  readonly bytes: number | null
  /** Code of an error that came from the backend. */
  readonly endedWith: string | undefined
}

function lineOf(call: Call, answer: Answer, now: number): RequestLine {
  const { status, requestBytes, bytes, endedWith } = answer
  const { arrivedAt, admittedAt, answeredAt, failure } = call
  return {
    level: levelOf(call, status, failure?.code ?? endedWith),
    message: 'request',
    request_id: call.requestId,
    route: call.route === undefined ? null : edgeRoutes[call.route].path,
    key_id: call.key?.id ?? null,
    address: call.address ?? null,
    backend: call.backendId ?? null,
    status,
    ms: tenths(now - arrivedAt),
    ...span('admit_ms', arrivedAt, admittedAt),
    ...span('backend_ms', admittedAt, answeredAt),
    ...span('relay_ms', answeredAt, now),
    request_bytes: requestBytes,
    response_bytes: bytes,
    ...(failure !== undefined && { code: failure.code, detail: detailOf(failure) }),
  }
}

/** Probes come every few seconds, and a page loads dozens of files; they would bury the rest. */
function levelOf({ route }: Call, status: number, code: string | undefined): RequestLine['level'] {
  const isMinor = route !== undefined && (Object.hasOwn(probeRoutes, route) || route === 'pageFile')
  if (isMinor || (route === 'health' && status === 200)) return 'debug'
  return levelOfAnswer(status, code)
}

function fieldsOf({ ending, usage, images, bytes, errorCode }: CallOutcome): Partial<LogLine> {
  return {
    ending,
    response_bytes: bytes,
    images,
    ...usage,
    ...(errorCode !== undefined && { code: errorCode }),
  }
}

function span(
  name: `${string}_ms`,
  from: number | undefined,
  to: number | undefined,
): Record<`${string}_ms`, number> {
  return from === undefined || to === undefined ? {} : { [name]: tenths(to - from) }
}

/** Rounds to a tenth of a millisecond: further digits are noise. */
function tenths(ms: number): number {
  return Math.round(ms * 10) / 10
}

function byteCount(header: string | null | undefined): number | null {
  return header == null ? null : Number(header)
}

/**
 * The cause of our own failures and failed fetches. Parse errors are left out, because their causes quote the input.
 */
function detailOf(failure: ServiceError): string | undefined {
  const ours = errorKinds[failure.code].status >= 500 || failure.code.startsWith('image_')
  if (!ours) return undefined
  const details: string[] = []
  let cause: unknown = failure.cause
  while (cause instanceof Error && details.length < 4) {
    details.push(failure.code === 'internal' ? (cause.stack ?? cause.message) : cause.message)
    cause = cause.cause
  }
  return details.length === 0 ? undefined : details.join(' < ')
}
