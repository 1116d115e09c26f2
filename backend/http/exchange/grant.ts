import { ServiceError } from '../../../shared/api/errors.ts'
import { forwardHeaders } from '../../../shared/forward/headers.ts'

/** What the edge reserved of a key's limits for one call. Callers that state nothing are not limited. */
export interface Grant {
  /** The most tokens of prompt, images and all answers together. */
  readonly tokens: number | undefined
  readonly images: number | undefined
}

/** @throws {ServiceError} `invalid_field` when a header is not a whole number */
export function grantOf(request: { header(name: string): string | undefined }): Grant {
  const granted = (name: string) => {
    const value = request.header(name)
    if (value === undefined) return undefined
    if (/^\d{1,15}$/.test(value)) return Number(value)
    throw new ServiceError('invalid_field', `${name} must be a whole number`, { param: name })
  }
  return {
    tokens: granted(forwardHeaders.grantedTokens),
    images: granted(forwardHeaders.grantedImages),
  }
}

/** @throws {ServiceError} `quota_exceeded` when a request has more images than were granted */
export function checkImages(count: number, { images = Infinity }: Grant, param: string): void {
  if (count <= images) return
  const message = `Cannot accept ${count} images: ${images} are left of the key's limit`
  throw new ServiceError('quota_exceeded', message, { param })
}
