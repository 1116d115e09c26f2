import { ServiceError } from '../../shared/api/errors.ts'

export function deadlineExceeded(cause?: unknown): ServiceError {
  return new ServiceError('deadline_exceeded', 'The request took longer than allowed', { cause })
}

export function clientGone(cause?: unknown): ServiceError {
  return new ServiceError('cancelled', 'The client left before the answer', { cause })
}

export function backendUnreachable(cause: unknown): ServiceError {
  return new ServiceError('backend_unavailable', 'The model server cannot be reached', { cause })
}

/** The backend does not accept this edge's certificate, which no client can change: becomes `internal`. */
export function certificateRefused(): Error {
  return new Error('The backend refused the client certificate')
}
