import { shouldRetryHeader } from '../../shared/api/errors.ts'
import { hasControlCharacters } from '../../shared/api/wire/media-type.ts'
import type { Scope } from '../../shared/api/administration/scopes.ts'
import { requestIdHeader } from '../../shared/api/wire/request-id.ts'
import { forwardHeaders } from '../../shared/forward/headers.ts'
import type { BackendAnswer } from '../backends/exchange.ts'
import type { Granted } from '../limits/reservation.ts'

/**
 * The client headers that the backend receives. An allow-list rather than a deny-list: keys, cookies, addresses and
 * headers that only the edge may set (key id, deadline) are excluded without being named.
 */
const requestHeadersPassed = [
  'accept',
  'content-type',
  'mcp-method',
  'mcp-name',
  'mcp-protocol-version',
  'mcp-session-id',
]

/** Headers of the backend's answer that are passed on. */
const responseHeadersPassed = [
  'cache-control',
  'content-length',
  'content-type',
  'mcp-session-id',
  'retry-after',
  'x-accel-buffering',
  shouldRetryHeader,
]

interface ForwardedRequest {
  readonly client: Headers
  readonly requestId: string
  readonly keyId: string
  readonly keyScopes: readonly Scope[]
  readonly deadlineMs: number
  readonly granted: Granted
  /** By which the backend continues the trace. */
  readonly trace?: Readonly<Record<string, string>> | undefined
  /** Replaces the client's content type when the body was rewritten. */
  readonly contentType?: string
  readonly contentLength?: number | undefined
}

/** A plain object, because it is only passed on. */
export function backendRequestHeaders(request: ForwardedRequest): Readonly<Record<string, string>> {
  const headers: Record<string, string> = {}
  for (const name of requestHeadersPassed) {
    const value = request.client.get(name)
    if (value !== null && !hasControlCharacters(value)) headers[name] = value
  }
  if (request.contentType !== undefined) headers['content-type'] = request.contentType
  if (request.contentLength !== undefined) {
    headers['content-length'] = String(request.contentLength)
  }
  headers[requestIdHeader] = request.requestId
  headers[forwardHeaders.keyId] = request.keyId
  headers[forwardHeaders.keyScopes] = request.keyScopes.join(',')
  headers[forwardHeaders.deadlineMs] = String(Math.ceil(request.deadlineMs))
  const { tokens, images } = request.granted
  if (tokens !== undefined) headers[forwardHeaders.grantedTokens] = String(tokens)
  if (images !== undefined) headers[forwardHeaders.grantedImages] = String(images)
  return { ...headers, ...request.trace }
}

/** A plain object, because it is only read once. */
export function clientResponseHeaders(
  backend: BackendAnswer['headers'],
): Readonly<Record<string, string>> {
  const picked: Record<string, string> = {}
  for (const name of responseHeadersPassed) {
    const value = backend.get(name)
    if (value !== null) picked[name] = value
  }
  return picked
}
