import { afterAnswer } from './after-answer.ts'
import { errorKinds, type ServiceError } from '../../shared/api/errors.ts'
import type { CallFacts } from './call.ts'
import type { EdgeContext, EdgeMiddleware, LogLine, Platform } from '../platform.ts'

/**
 * One line per request, once its answer has ended. Never keys, prompts, URLs or what a path holds: an unknown path is
 * not written down.
 */
export function logRequests(platform: Platform): EdgeMiddleware {
  return async (c, next) => {
    await next()
    const relayed = c.get('relayed')
    const { status } = c.res
    if (relayed === undefined) return platform.log(lineOf(c, status, platform.now()))
    const logAtEnd = async () => {
      const facts = await relayed
      const endedAt = platform.now()
      // Writing a line takes as long as a good part of the request.
      await afterAnswer()
      platform.log({ ...lineOf(c, status, endedAt), ...fieldsOf(facts) })
    }
    platform.keepAlive(c, logAtEnd())
  }
}

function lineOf(c: EdgeContext, status: number, now: number): LogLine {
  const { failure, startedAt, admittedAt, answeredAt } = c.var
  return {
    level: status >= 500 ? 'error' : 'info',
    message: 'request',
    request_id: c.get('requestId'),
    route: c.get('route') ?? 'unknown',
    key_id: c.get('key')?.id ?? null,
    backend: c.get('backendId') ?? null,
    status,
    ms: tenths(now - startedAt),
    ...span('admit_ms', startedAt, admittedAt),
    ...span('backend_ms', admittedAt, answeredAt),
    ...span('relay_ms', answeredAt, now),
    request_bytes: byteCount(c.req.header('content-length')),
    response_bytes: byteCount(c.res.headers.get('content-length')),
    ...(failure === undefined ? {} : { error: failure.code, detail: detailOf(failure) }),
  }
}

function fieldsOf({ ending, usage, images, bytes, errorCode }: CallFacts): Partial<LogLine> {
  return {
    ending,
    response_bytes: bytes,
    images,
    ...usage,
    ...(errorCode === undefined ? {} : { error: errorCode }),
  }
}

function span(name: string, from: number | undefined, to: number | undefined): Partial<LogLine> {
  return from === undefined || to === undefined ? {} : { [name]: tenths(to - from) }
}

/** To a tenth of a millisecond: finer digits are noise. */
function tenths(ms: number): number {
  return Math.round(ms * 10) / 10
}

function byteCount(header: string | null | undefined): number | null {
  return header == null ? null : Number(header)
}

/** What lies behind our own failures and failed fetches. Parse errors stay out: their causes quote the input. */
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
