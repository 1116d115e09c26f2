import { acceptedMediaType } from '../../shared/api/wire/media-type.ts'

/** The body's media type. Parameters and errors as in `acceptedMediaType`. */
export function mediaTypeOf<Accepted extends string>(
  headers: Headers,
  accepted: readonly Accepted[],
): Accepted {
  const [type, encoding] = [headers.get('content-type'), headers.get('content-encoding')]
  return acceptedMediaType({ type, encoding }, accepted)
}
