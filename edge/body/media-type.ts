import { ServiceError } from '../../shared/api/errors.ts'

/**
 * The media type of a request body, one of `accepted`.
 * @throws {ServiceError} `unsupported_media_type`, naming the accepted ones; also for a compressed body
 */
export function mediaTypeOf<Accepted extends string>(
  headers: Headers,
  accepted: readonly Accepted[],
): Accepted {
  if ((headers.get('content-encoding') ?? 'identity') !== 'identity') {
    throw new ServiceError('unsupported_media_type', 'Content-Encoding is not supported here')
  }
  const given = headers.get('content-type')?.split(';', 1)[0]?.trim().toLowerCase() ?? ''
  const match = accepted.find((type) => type === given)
  if (match !== undefined) return match
  const missing = given === '' ? ', and none was sent' : ''
  const message = `Content-Type must be ${accepted.join(' or ')}${missing}`
  throw new ServiceError('unsupported_media_type', message)
}
