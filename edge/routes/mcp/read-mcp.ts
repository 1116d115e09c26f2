import { maxUploadBytes } from '../../../shared/api/limits.ts'
import { type McpMessage, peekMessage } from '../../../shared/api/mcp/peek-message.ts'
import { parseJsonBytes } from '../../../shared/api/wire/parse-json.ts'
import { passClientBody, sendableBody } from '../../body/client-body.ts'
import { mediaTypeOf } from '../../body/media-type.ts'
import { conversationAffinity } from '../../body/peek-conversation.ts'
import { peekHead } from '../../body/peek-head.ts'
import type { ReadCall } from '../../calls/run-call.ts'
import { toolNeed } from '../../limits/demand.ts'
import type { ConversationParts } from '../conversation/read-conversation.ts'

/** A message of the Model Context Protocol, passed through unchanged for the backend to judge. Only tool calls use tokens. */
export function readMcp({ webBody }: ConversationParts): ReadCall {
  return async (c) => {
    mediaTypeOf(c.req.raw.headers, ['application/json'])
    const { body, head, isWhole } = await peekHead(passClientBody(c, maxUploadBytes))
    const message = isWhole ? peeked(head) : undefined
    return {
      need: toolNeed(message),
      message: () => ({
        path: c.req.path,
        body: sendableBody(c, body, webBody),
        contentLength: body.length,
        affinity: conversationAffinity(head, undefined),
        // Only one backend runs the call that is cancelled, and the edge does not know which.
        forAll: message?.cancels !== undefined,
        bodyFailure: body.failure,
      }),
    }
  }
}

/** @returns undefined for invalid JSON */
function peeked(json: Uint8Array): McpMessage | undefined {
  try {
    return peekMessage(parseJsonBytes(json))
  } catch {
    return undefined
  }
}
