import type { ErrorForm } from '../doors/renderer.ts'
import { errorBody } from '../errors.ts'
import { formatEvent } from '../wire/sse.ts'

/** Errors as the native routes give them. */
export const nativeErrors: ErrorForm = {
  body: errorBody,
  streamed: (error, requestId) => formatEvent('error', errorBody(error, requestId)),
}
