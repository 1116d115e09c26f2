import { jsonAnswer } from './wire/json-answer.ts'
import { requestIdHeader } from './wire/request-id.ts'

/** How an OpenAI-compatible client groups errors. */
type ErrorType =
  | 'invalid_request_error'
  | 'authentication_error'
  | 'permission_error'
  | 'rate_limit_error'
  | 'server_error'

interface ErrorKind {
  readonly status: number
  readonly type: ErrorType
  /** True when sending the same request again later may succeed. */
  readonly retryable: boolean
}

/** Every error a client can see: code -> HTTP status, type, retryable. The only such table. */
export const errorKinds = {
  malformed_request: { status: 400, type: 'invalid_request_error', retryable: false },
  invalid_json: { status: 400, type: 'invalid_request_error', retryable: false },
  invalid_field: { status: 400, type: 'invalid_request_error', retryable: false },
  /** Of an answer's format: invalid, unsupported in part, or too large. */
  invalid_schema: { status: 400, type: 'invalid_request_error', retryable: false },
  invalid_multipart: { status: 400, type: 'invalid_request_error', retryable: false },
  missing_images: { status: 400, type: 'invalid_request_error', retryable: false },
  too_many_images: { status: 400, type: 'invalid_request_error', retryable: false },
  empty_image: { status: 400, type: 'invalid_request_error', retryable: false },
  invalid_image: { status: 400, type: 'invalid_request_error', retryable: false },
  unsupported_image: { status: 400, type: 'invalid_request_error', retryable: false },
  image_too_large: { status: 400, type: 'invalid_request_error', retryable: false },
  image_url_refused: { status: 400, type: 'invalid_request_error', retryable: false },
  unsupported_field: { status: 400, type: 'invalid_request_error', retryable: false },
  context_length_exceeded: { status: 400, type: 'invalid_request_error', retryable: false },
  missing_api_key: { status: 401, type: 'authentication_error', retryable: false },
  invalid_api_key: { status: 401, type: 'authentication_error', retryable: false },
  revoked_api_key: { status: 401, type: 'authentication_error', retryable: false },
  expired_api_key: { status: 401, type: 'authentication_error', retryable: false },
  forbidden_scope: { status: 403, type: 'permission_error', retryable: false },
  /** Of a web page; other programs send no origin. */
  forbidden_origin: { status: 403, type: 'permission_error', retryable: false },
  client_not_allowed: { status: 403, type: 'permission_error', retryable: false },
  not_found: { status: 404, type: 'invalid_request_error', retryable: false },
  model_not_found: { status: 404, type: 'invalid_request_error', retryable: false },
  method_not_allowed: { status: 405, type: 'invalid_request_error', retryable: false },
  request_timeout: { status: 408, type: 'invalid_request_error', retryable: false },
  key_not_active: { status: 409, type: 'invalid_request_error', retryable: false },
  answer_not_kept: { status: 409, type: 'invalid_request_error', retryable: false },
  idempotency_conflict: { status: 409, type: 'invalid_request_error', retryable: false },
  body_too_large: { status: 413, type: 'invalid_request_error', retryable: false },
  unsupported_media_type: { status: 415, type: 'invalid_request_error', retryable: false },
  image_fetch_failed: { status: 422, type: 'invalid_request_error', retryable: false },
  image_fetch_too_large: { status: 422, type: 'invalid_request_error', retryable: false },
  headers_too_large: { status: 431, type: 'invalid_request_error', retryable: false },
  rate_limited: { status: 429, type: 'rate_limit_error', retryable: true },
  /** Used up until the end of the day; sent with `Retry-After` where that helps. */
  quota_exceeded: { status: 429, type: 'rate_limit_error', retryable: false },
  queue_full: { status: 429, type: 'rate_limit_error', retryable: true },
  /** The client has left, so this only appears in logs. The status is nginx's. */
  cancelled: { status: 499, type: 'invalid_request_error', retryable: false },
  internal: { status: 500, type: 'server_error', retryable: false },
  keys_unavailable: { status: 503, type: 'server_error', retryable: true },
  limits_unavailable: { status: 503, type: 'server_error', retryable: true },
  backend_unavailable: { status: 503, type: 'server_error', retryable: true },
  idempotency_unavailable: { status: 503, type: 'server_error', retryable: true },
  model_loading: { status: 503, type: 'server_error', retryable: true },
  engine_restarted: { status: 503, type: 'server_error', retryable: true },
  shutting_down: { status: 503, type: 'server_error', retryable: true },
  image_fetch_timeout: { status: 504, type: 'server_error', retryable: true },
  deadline_exceeded: { status: 504, type: 'server_error', retryable: true },
} as const satisfies Record<string, ErrorKind>

export type ErrorCode = keyof typeof errorKinds

interface ErrorDetails {
  /** The request field at fault, as the client spelled it. */
  readonly param?: string
  /** Seconds after which a retry is worthwhile, sent as `Retry-After`. */
  readonly retryAfterSeconds?: number
  /** The underlying failure; logged, never sent. */
  readonly cause?: unknown
}

/** An error meant for the client. `message` is public: it holds no paths, keys, prompts or library texts. */
export class ServiceError extends Error {
  readonly code: ErrorCode
  readonly param: string | undefined
  readonly retryAfterSeconds: number | undefined

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.name = 'ServiceError'
    this.code = code
    this.param = details.param
    this.retryAfterSeconds =
      details.retryAfterSeconds ??
      (errorKinds[code].retryable ? defaultRetryAfterSeconds : undefined)
  }

  get status(): number {
    return errorKinds[this.code].status
  }
}

/** Seconds; long enough for a restart of the nano engine, short enough to be worth waiting for. */
const defaultRetryAfterSeconds = 2

/** The only error body, used in JSON answers and in `event: error` alike. */
export interface ErrorBody {
  readonly error: {
    readonly message: string
    readonly type: ErrorType
    readonly param: string | null
    readonly code: ErrorCode
    readonly request_id: string
  }
}

/** Turns anything thrown into an error a client may see; an unknown one becomes `internal` with a fixed text. */
export function toServiceError(error: unknown): ServiceError {
  if (error instanceof ServiceError) return error
  return new ServiceError('internal', 'Something went wrong on our side', { cause: error })
}

export function errorBody(error: ServiceError, requestId: string): ErrorBody {
  return {
    error: {
      message: error.message,
      type: errorKinds[error.code].type,
      param: error.param ?? null,
      code: error.code,
      request_id: requestId,
    },
  }
}

/**
 * The error as an HTTP response, with `Retry-After` where a retry makes sense.
 * @param body in the form of the door that the request came through
 */
export function errorResponse(
  error: ServiceError,
  requestId: string,
  body: (error: ServiceError, requestId: string) => object = errorBody,
): Response {
  const headers = new Headers({ [requestIdHeader]: requestId })
  if (error.retryAfterSeconds !== undefined) {
    headers.set('retry-after', String(Math.ceil(error.retryAfterSeconds)))
  }
  if (isRetryInVain(error)) headers.set(shouldRetryHeader, 'false')
  return jsonAnswer(body(error, requestId), error.status, headers)
}

/** Tells the official clients of OpenAI and Anthropic not to send a request again by themselves. */
export const shouldRetryHeader = 'x-should-retry'

/** Seconds of `Retry-After` that a program should wait unseen: the official clients sleep for hours when asked to. */
const longestWaitSeconds = 90

/** Statuses on which those clients send a request again. */
const retriedStatuses: ReadonlySet<number> = new Set([408, 409, 429])

/** Whether those clients would retry, and should not: it would fail as before, or only after very long. */
function isRetryInVain({ code, status, retryAfterSeconds = 0 }: ServiceError): boolean {
  if (status < 500 && !retriedStatuses.has(status)) return false
  // Three runs of ten minutes, each to its deadline, help nobody.
  const isFinal = !errorKinds[code].retryable || code === 'deadline_exceeded'
  return isFinal || retryAfterSeconds > longestWaitSeconds
}
