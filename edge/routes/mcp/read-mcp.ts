import { peekMessage } from '../../../shared/api/mcp/peek-message.ts'
import { tryParseJson } from '../../../shared/api/wire/parse-json.ts'
import { passedOn } from '../../body/client-body.ts'
import { conversationAffinity } from '../../body/peek-conversation.ts'
import { peekJsonBody } from '../../body/peek-head.ts'
import type { ReadCall } from '../../calls/run-call.ts'
import { toolNeed } from '../../limits/demand.ts'
import type { ConversationParts } from '../conversation/read-conversation.ts'

/** A message of the Model Context Protocol, passed through unchanged for the backend to judge. Only tool calls use tokens. */
export function readMcp({ webBody }: ConversationParts): ReadCall {
  return async (c) => {
    const { body, head, isWhole } = await peekJsonBody(c)
    const parsed = isWhole ? tryParseJson(head) : undefined
    const message = parsed === undefined ? undefined : peekMessage(parsed)
    return {
      need: toolNeed(message),
      message: () => ({
        path: c.req.path,
        ...passedOn(c, body, webBody),
        affinity: conversationAffinity(head, undefined),
        // Only one backend runs the call being cancelled, and the edge does not know which.
        forAll: message?.cancels !== undefined,
      }),
    }
  }
}
