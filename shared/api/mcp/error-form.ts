import type { ErrorForm } from '../doors/renderer.ts'
import type { ServiceError } from '../errors.ts'

/** JSON-RPC's code for errors that a server defines; ours is in `data`. */
const serverError = -32_000

/** Errors in the form that MCP clients expect: JSON-RPC, in a stream as the answer to the pending request. */
export const mcpErrors: ErrorForm = {
  body: (error, requestId) => rpcError(null, error, requestId),
  streamed: (error, requestId, said) =>
    `event: message\ndata: ${JSON.stringify(rpcError(answeredId(said), error, requestId))}\n\n`,
}

function rpcError(id: unknown, error: ServiceError, requestId: string): object {
  const { message, code, param = null, retryAfterSeconds } = error
  const data = { code, param, request_id: requestId, retry_after: retryAfterSeconds }
  return { jsonrpc: '2.0', id, error: { code: serverError, message, data } }
}

/** Longest request id that is repeated in a comment, in characters; real clients use numbers. */
const maxIdChars = 256

/**
 * A comment that names the request a stream answers, so that the edge can end a torn stream with an answer to it. It
 * doubles as the heartbeat.
 */
export function formatAnsweringComment(id: unknown): string {
  const text = JSON.stringify([id])
  return `: answering ${text.length > maxIdChars ? '[null]' : text}\n\n`
}

/** @param said the end of a stream, in which the last such comment counts */
function answeredId(said: string): unknown {
  const text = [...said.matchAll(/^: answering (\[.*\])\n/gm)].at(-1)?.[1]
  return text === undefined ? null : (JSON.parse(text) as unknown[])[0]
}
