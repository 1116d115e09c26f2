import { ServiceError } from '../api/errors.ts'

export function invalidMultipart(what: string, cause?: unknown): ServiceError {
  return new ServiceError('invalid_multipart', `Cannot read the multipart body: ${what}`, { cause })
}
