import { passedOn } from '../../body/client-body.ts'
import { conversationAffinity, peekConversation } from '../../body/peek-conversation.ts'
import { peekJsonBody } from '../../body/peek-head.ts'
import type { WebBody } from '../../body/web-pieces.ts'
import type { ReadCall } from '../../calls/run-call.ts'
import { conversationNeed, countingNeed } from '../../limits/demand.ts'

export interface ConversationParts {
  /** Makes a web stream that the platform sends efficiently. */
  readonly webBody: WebBody
}

/**
 * A conversation as JSON, for any of the APIs: bytes pass through unchanged and are parsed and validated once, by the
 * backend. Here its demand and the most suitable backend are only estimated.
 */
export function readConversation(path: string, { webBody }: ConversationParts): ReadCall {
  return async (c) => {
    const { body, head, isWhole } = await peekJsonBody(c)
    const peek = isWhole ? peekConversation(head) : undefined
    return {
      need: conversationNeed(peek),
      message: () => ({
        path,
        ...passedOn(c, body, webBody),
        affinity: conversationAffinity(head, peek),
      }),
    }
  }
}

/** The same for a conversation whose tokens are only counted: it counts as a request and uses up nothing else. */
export function readCounting(path: string, parts: ConversationParts): ReadCall {
  const read = readConversation(path, parts)
  return async (c) => ({ ...(await read(c)), need: countingNeed })
}
