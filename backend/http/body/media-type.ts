import type { IncomingHttpHeaders } from 'node:http'
import { acceptedMediaType } from '../../../shared/api/wire/media-type.ts'

/** The body's media type. Parameters and errors as in `acceptedMediaType`. */
export function mediaTypeOf<Accepted extends string>(
  headers: IncomingHttpHeaders,
  accepted: readonly Accepted[],
): Accepted {
  const { 'content-type': type, 'content-encoding': encoding } = headers
  return acceptedMediaType({ type, encoding }, accepted)
}
