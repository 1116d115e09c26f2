import type { ErrorForm } from '../doors/renderer.ts'
import type { ServiceError } from '../errors.ts'

/** JSON-RPC's code for errors of a server's own; ours stands in `data`. */
const serverError = -32_000

/** Errors as MCP's clients know them: JSON-RPC, in a stream as the answer to the request that is waiting. */
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

/** Characters of the id of a request that is told; the ids of real clients are numbers. */
const maxIdChars = 256

/**
 * A comment in a stream that tells which request it answers, so that whoever has to end the stream can do so with an
 * answer. It also serves as a sign of life.
 */
export function formatAnsweringComment(id: unknown): string {
  const told = JSON.stringify([id])
  return `: answering ${told.length > maxIdChars ? '[null]' : told}\n\n`
}

/** @param said the end of a stream; the last such comment counts */
function answeredId(said: string): unknown {
  const told = [...said.matchAll(/^: answering (\[.*\])\n/gm)].at(-1)?.[1]
  return told === undefined ? null : (JSON.parse(told) as unknown[])[0]
}
