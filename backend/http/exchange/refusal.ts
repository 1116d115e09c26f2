import { errorFormOf } from '../../../shared/api/doors/error-forms.ts'
import { errorResponse, type ServiceError } from '../../../shared/api/errors.ts'
import { forwardHeaders } from '../../../shared/forward/headers.ts'

/** The error in the form of its door, and its code for the edge. */
export function refusal(error: ServiceError, requestId: string, path: string): Response {
  const response = errorResponse(error, requestId, errorFormOf(path).body)
  response.headers.set(forwardHeaders.errorCode, error.code)
  return response
}
