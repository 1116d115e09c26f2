import { ServiceError } from '../../shared/api/errors.ts'

/** The error of an aborted job: the ServiceError it was aborted with (such as a deadline), else `cancelled`. */
export function abortError(signal: AbortSignal): ServiceError {
  if (signal.reason instanceof ServiceError) return signal.reason
  return new ServiceError('cancelled', 'The request was cancelled')
}
