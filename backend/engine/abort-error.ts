import { ServiceError } from '../../shared/api/errors.ts'

/** What an aborted job throws: the ServiceError its owner aborted with (a deadline, say), else `cancelled`. */
export function abortError(signal: AbortSignal): ServiceError {
  if (signal.reason instanceof ServiceError) return signal.reason
  return new ServiceError('cancelled', 'The request was cancelled')
}
