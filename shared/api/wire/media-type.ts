import { ServiceError } from '../errors.ts'

/** Characters of a media type that an error repeats: the longest registered ones have about 80. */
const maxQuotedChars = 80

// oxlint-disable-next-line no-control-regex -- they are what it looks for
const controlCharacters = /[\u0000-\u0008\u000a-\u001f\u007f]/

/** Some HTTP servers accept them in headers against RFC 9110, section 5.5, but every client refuses to send them. */
export function hasControlCharacters(headerValue: string): boolean {
  return controlCharacters.test(headerValue)
}

interface BodyHeaders {
  /** `Content-Type` as it was sent. */
  readonly type: string | null | undefined
  /** `Content-Encoding` as it was sent. */
  readonly encoding: string | null | undefined
}

/**
 * The media type of a request body, one of `accepted`.
 * @throws {ServiceError} `unsupported_media_type`, naming the accepted types; also for a compressed body
 */
export function acceptedMediaType<Accepted extends string>(
  { type, encoding }: BodyHeaders,
  accepted: readonly Accepted[],
): Accepted {
  if (!['', 'identity'].includes((encoding ?? '').trim().toLowerCase())) {
    throw new ServiceError('unsupported_media_type', 'Content-Encoding is not supported here')
  }
  if (hasControlCharacters(type ?? '')) {
    throw new ServiceError('unsupported_media_type', 'Content-Type holds a control character')
  }
  const given = type?.split(';', 1)[0]?.trim().toLowerCase() ?? ''
  const match = accepted.find((each) => each === given)
  if (match !== undefined) return match
  const instead = given === '' ? 'and none was sent' : `not ${given.slice(0, maxQuotedChars)}`
  const message = `Content-Type must be ${accepted.join(' or ')}, ${instead}`
  throw new ServiceError('unsupported_media_type', message)
}

/** Whether an answer is a stream of server-sent events. */
export function isEventStream(contentType: string | null | undefined): boolean {
  return /^text\/event-stream\s*(?:;|$)/i.test(contentType ?? '')
}
