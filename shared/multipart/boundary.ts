import { parseParameters } from '../api/parameters.ts'

/** RFC 2046 allows 70, but clients use more. */
const maxBoundaryChars = 256

const sendable = /^[\x20-\x7e]+$/

/** What a `Content-Type` names as the boundary of its parts; undefined where it names none that can be one. */
export function boundaryOf(contentType: string | null | undefined): string | undefined {
  const boundary = parseParameters(contentType ?? '').parameters.get('boundary')
  if (boundary === undefined || boundary.length > maxBoundaryChars) return undefined
  return sendable.test(boundary) ? boundary : undefined
}
