import type { ErrorForm } from '../doors/renderer.ts'
import { errorBody } from '../errors.ts'

/** Errors as clients of OpenAI's chat completions know them; in a stream an event without a name, and nothing after it. */
export const chatErrors: ErrorForm = {
  body: errorBody,
  streamed: (error, requestId) => `data: ${JSON.stringify(errorBody(error, requestId))}\n\n`,
}
