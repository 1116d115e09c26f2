import { parseParameters } from '../api/wire/parameters.ts'

/** RFC 2046 allows 70, but some clients use more. */
export const maxBoundaryChars = 256

const sendable = /^[\x20-\x7e]+$/

/** The boundary named by a `Content-Type`; undefined when it names none, or one that cannot be valid. */
export function boundaryOf(contentType: string | null | undefined): string | undefined {
  const boundary = parseParameters(contentType ?? '').parameters.get('boundary')
  if (boundary === undefined || boundary.length > maxBoundaryChars) return undefined
  return sendable.test(boundary) ? boundary : undefined
}
