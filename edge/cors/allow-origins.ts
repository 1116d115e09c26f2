import { shouldRetryHeader } from '../../shared/api/errors.ts'
import { requestIdHeader } from '../../shared/api/wire/request-id.ts'
import { backendHintHeader } from '../backends/hint.ts'
import type { EdgeMiddleware } from '../calls/context.ts'
import { idempotencyKeyHeader } from '../idempotency/idempotent.ts'
import { limitHeaderNames } from '../limits/limit-headers.ts'
import { anyOrigin } from './origins-setting.ts'

/**
 * What a page may send. `*` covers headers that the official clients add and the server ignores; it does not include
 * `Authorization`.
 */
const requestHeaders = [
  'x-api-key',
  'authorization',
  'content-type',
  idempotencyKeyHeader,
  requestIdHeader,
  backendHintHeader,
  '*',
].join(', ')

/** What a page may read, in addition to the few headers that it always may read. */
const answerHeaders = [
  requestIdHeader,
  'retry-after',
  'idempotency-replayed',
  'mcp-session-id',
  shouldRetryHeader,
  ...limitHeaderNames,
].join(', ')

/** Seconds a browser may remember a preflight: Chromium's own limit is two hours. */
const maxAgeSeconds = 7_200

export interface CorsParts {
  /** Origins whose pages may read answers; `*` alone means all. */
  readonly corsOrigins: readonly string[]
}

/**
 * Lets pages of the allowed origins read answers, errors included (Fetch standard, section 3.3). A preflight gets the
 * same answer as any `OPTIONS`, whose `Allow` lists the path's methods. Cookies are not used, so credentials are never
 * allowed.
 */
export function allowOrigins({ corsOrigins }: CorsParts): EdgeMiddleware {
  const allowsAny = corsOrigins.includes(anyOrigin)
  return async (c, next) => {
    await next()
    if (corsOrigins.length === 0) return
    const { headers } = c.res
    if (!allowsAny) headers.append('vary', 'Origin')
    const origin = c.req.header('origin')
    if (origin === undefined || !(allowsAny || corsOrigins.includes(origin))) return
    headers.set('access-control-allow-origin', allowsAny ? anyOrigin : origin)
    headers.set('access-control-expose-headers', answerHeaders)
    const methods = headers.get('allow')
    const wanted = c.req.header('access-control-request-method')
    if (c.req.method !== 'OPTIONS' || methods === null || wanted === undefined) return
    headers.set('access-control-allow-methods', methods)
    headers.set('access-control-allow-headers', requestHeaders)
    headers.set('access-control-max-age', String(maxAgeSeconds))
  }
}
