import { errorKinds, type ServiceError } from '../../shared/api/errors.ts'
import type { EdgeMiddleware, Platform } from '../platform.ts'

/**
 * One line per request, when the answer's headers are ready. Never keys, prompts, URLs or what a path holds: an
 * unknown path is not written down.
 */
export function logRequests(platform: Platform): EdgeMiddleware {
  return async (c, next) => {
    await next()
    const { failure } = c.var
    platform.log({
      level: c.res.status >= 500 ? 'error' : 'info',
      message: 'request',
      request_id: c.var.requestId,
      route: c.var.route ?? 'unknown',
      key_id: c.var.key?.id ?? null,
      backend: c.var.backendId ?? null,
      status: c.res.status,
      ms: Math.round((platform.now() - c.var.startedAt) * 10) / 10,
      request_bytes: byteCount(c.req.header('content-length')),
      response_bytes: byteCount(c.res.headers.get('content-length')),
      ...(failure === undefined ? {} : { error: failure.code, detail: detailOf(failure) }),
    })
  }
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
