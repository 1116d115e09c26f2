import type { ErrorForm } from '../doors/renderer.ts'
import { errorKinds, type ServiceError } from '../errors.ts'

/** Errors as clients of Anthropic's messages expect them. */
export const messagesErrors: ErrorForm = {
  body: errorBodyOf,
  streamed: (error, requestId) =>
    `event: error\ndata: ${JSON.stringify(errorBodyOf(error, requestId))}\n\n`,
  idHeader: 'request-id',
}

function errorBodyOf(error: ServiceError, requestId: string) {
  return {
    type: 'error',
    error: {
      type: typeOf(error),
      message: error.message,
      details: { error_code: error.code, param: error.param ?? null },
    },
    request_id: requestId,
  }
}

function typeOf({ code, status }: ServiceError): string {
  switch (status) {
    case 404:
      return 'not_found_error'
    case 408:
    case 504:
      return 'timeout_error'
    case 409:
      return 'conflict_error'
    case 500:
      return 'api_error'
    case 503:
      return 'overloaded_error'
    default:
      return errorKinds[code].type
  }
}
