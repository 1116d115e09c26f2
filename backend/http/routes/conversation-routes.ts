import type { Context, Hono } from 'hono'
import { readChatRequest } from '../../../shared/api/chat/read-request.ts'
import type { Asking } from '../../../shared/api/doors/renderer.ts'
import { checkThoughtWish } from '../../../shared/api/doors/thought-wish.ts'
import { ServiceError } from '../../../shared/api/errors.ts'
import { jsonAnswer } from '../../../shared/api/wire/json-answer.ts'
import { readCountRequest, readMessagesRequest } from '../../../shared/api/messages/read-request.ts'
import { withPreset } from '../../../shared/api/request/preset.ts'
import { notStored } from '../../../shared/api/responses/not-stored.ts'
import { readResponsesRequest } from '../../../shared/api/responses/read-request.ts'
import { routes } from '../../../shared/api/routes.ts'
import { forwardHeaders } from '../../../shared/forward/headers.ts'
import { formatUsage } from '../../../shared/forward/usage-comment.ts'
import { answerConversation, type AnswerParts, countTokens } from '../answer/answer-conversation.ts'
import { checkScopes } from '../exchange/check-scopes.ts'
import type { BackendEnv } from '../exchange/exchange.ts'
import type { LiftedJson } from '../body/lifting-reader.ts'
import { checkModel, type ServedModel } from './models.ts'
import { readLifted } from '../body/read-lifted.ts'

type Read = (body: unknown) => Asking

/** The routes that answer a conversation, the reader of each, and the field that its messages come in. */
const doors: readonly { readonly path: string; readonly read: Read; readonly turns: string }[] = [
  { path: routes.chat.path, read: readChatRequest, turns: 'messages' },
  { path: routes.responses.path, read: readResponsesRequest, turns: 'input' },
  { path: routes.messages.path, read: readMessagesRequest, turns: 'messages' },
]

const openAiCount = (tokens: number) => ({ object: 'response.input_tokens', input_tokens: tokens })

/** The routes that count its tokens. */
const counters: readonly {
  readonly path: string
  readonly read: Read
  readonly view: (tokens: number) => object
}[] = [
  { path: routes.chatTokens.path, read: readChatRequest, view: openAiCount },
  { path: routes.responsesTokens.path, read: readResponsesRequest, view: openAiCount },
  {
    path: routes.messagesTokens.path,
    read: readCountRequest,
    view: (tokens) => ({ input_tokens: tokens }),
  },
]

/** Routes of other APIs: read the body, translate it, answer in that API's own form. */
export function mountConversationRoutes(
  app: Hono<BackendEnv>,
  parts: AnswerParts,
  model: ServedModel,
): void {
  for (const { path, read, turns } of doors) {
    app.post(path, async (c) => {
      const { asked, stream, renderer, lifted } = await readAsking(c, read, model)
      const facts = {
        requestId: c.get('exchange').requestId,
        model: model.id,
        createdAt: Math.floor(Date.now() / 1_000),
        reasons: model.reasons,
      }
      try {
        const conversation = { asked, stream, renderer: renderer(facts), lifted }
        return await answerConversation(c, parts, conversation)
      } catch (error) {
        throw withParam(error, turns)
      }
    })
  }
  app.get(routes.response.path, () => {
    throw notStored()
  })
  for (const { path, read, view } of counters) {
    app.post(path, async (c) => {
      const { asked, lifted } = await readAsking(c, read, model)
      const tokens = await countTokens(c, parts, { asked, lifted })
      const none = formatUsage({ prompt_tokens: 0, image_tokens: 0, completion_tokens: 0 })
      return jsonAnswer(view(tokens), 200, { [forwardHeaders.usage]: none })
    })
  }
}

/** The request, once it is clear that the model is here and the key may ask this. */
async function readAsking(
  c: Context<BackendEnv>,
  read: Read,
  served: ServedModel,
): Promise<Asking & Pick<LiftedJson, 'lifted'>> {
  const { value, lifted } = await readLifted(c)
  const asking = read(withPreset(value, served.recommended))
  if (asking.model !== undefined) checkModel(served, asking.model)
  if (asking.thoughtWish !== undefined) checkThoughtWish(asking.thoughtWish, served.reasons)
  checkScopes(c.req, asking.asked.turns)
  return { ...asking, lifted }
}

/** The engine calls the whole input the prompt; a door's clients know it by another name. */
function withParam(error: unknown, turns: string): unknown {
  if (!(error instanceof ServiceError) || error.param !== 'prompt') return error
  return new ServiceError(error.code, error.message, { param: turns, cause: error })
}
