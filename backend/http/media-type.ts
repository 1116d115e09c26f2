import type { IncomingHttpHeaders } from 'node:http'
import { ServiceError } from '../../shared/api/errors.ts'

/** Characters of a media type that an error repeats: the longest registered ones have some 80. */
const maxToldChars = 80

/**
 * The body's media type, one of `accepted`.
 * @throws {ServiceError} `unsupported_media_type`, naming the accepted ones; also for a compressed body
 */
export function mediaTypeOf<Accepted extends string>(
  headers: IncomingHttpHeaders,
  accepted: readonly Accepted[],
): Accepted {
  const encoding = headers['content-encoding'] ?? 'identity'
  if (encoding !== 'identity') {
    throw new ServiceError('unsupported_media_type', 'Content-Encoding is not supported here')
  }
  const given = headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase() ?? ''
  const match = accepted.find((type) => type === given)
  if (match !== undefined) return match
  const instead = given === '' ? 'and none was sent' : `not ${given.slice(0, maxToldChars)}`
  const message = `Content-Type must be ${accepted.join(' or ')}, ${instead}`
  throw new ServiceError('unsupported_media_type', message)
}
