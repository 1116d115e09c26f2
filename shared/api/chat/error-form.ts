import type { ErrorForm } from '../doors/renderer.ts'
import { errorBody } from '../errors.ts'

/** Errors as clients of OpenAI's chat completions expect them: in a stream, a last event without a name. */
export const chatErrors: ErrorForm = {
  body: errorBody,
  streamed: (error, requestId) => `data: ${JSON.stringify(errorBody(error, requestId))}\n\n`,
}
