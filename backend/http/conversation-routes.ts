import type { Hono } from 'hono'
import { readChatRequest } from '../../shared/api/chat/read-request.ts'
import { routes } from '../../shared/api/routes.ts'
import { answerConversation, type AnswerParts } from './answer-conversation.ts'
import type { BackendEnv } from './exchange.ts'
import { checkScopes } from './check-scopes.ts'
import { checkModel, type ServedModel } from './models.ts'
import { readLifted } from './read-lifted.ts'

/** The routes that take a conversation as JSON, and the reader of each. */
const doors = [{ path: routes.chat.path, read: readChatRequest }] as const

/** Routes of other APIs: read the body, translate it, answer in that API's own form. */
export function mountConversationRoutes(
  app: Hono<BackendEnv>,
  parts: AnswerParts,
  served: () => ServedModel,
): void {
  for (const { path, read } of doors) {
    app.post(path, async (c) => {
      const { value, lifted } = await readLifted(c)
      const model = served()
      const { asked, stream, renderer, model: wanted } = read(value)
      if (wanted !== undefined) checkModel(model, wanted)
      checkScopes(c.req, asked.turns)
      const facts = {
        requestId: c.get('exchange').requestId,
        model: model.id,
        createdAt: Math.floor(Date.now() / 1_000),
      }
      return answerConversation(c, parts, { asked, stream, renderer: renderer(facts), lifted })
    })
  }
}
