import type { Context, Hono } from 'hono'
import { readChatRequest } from '../../shared/api/chat/read-request.ts'
import type { Asking } from '../../shared/api/doors/renderer.ts'
import { ServiceError } from '../../shared/api/errors.ts'
import { maxUploadBytes } from '../../shared/api/limits.ts'
import { routes } from '../../shared/api/routes.ts'
import { imagesOf } from '../../shared/conversation/conversation.ts'
import { forwardHeaders } from '../../shared/forward/headers.ts'
import { answerConversation, type AnswerParts } from './answer-conversation.ts'
import type { BackendEnv } from './exchange.ts'
import { LiftingReader, type LiftedJson } from './lifting-reader.ts'
import { mediaTypeOf } from './media-type.ts'
import { checkModel, type ServedModel } from './models.ts'
import { readChunks } from './read-body.ts'

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
      checkScopes(c, asked)
      const facts = {
        requestId: c.get('exchange').requestId,
        model: model.id,
        createdAt: Math.floor(Date.now() / 1_000),
      }
      return answerConversation(c, parts, { asked, stream, renderer: renderer(facts), lifted })
    })
  }
}

async function readLifted(c: Context<BackendEnv>): Promise<LiftedJson> {
  const { incoming } = c.env
  mediaTypeOf(incoming.headers, ['application/json'])
  const reader = new LiftingReader()
  for await (const chunk of readChunks(incoming, c.get('exchange'), maxUploadBytes)) {
    reader.push(chunk)
  }
  return reader.end()
}

/** @throws {ServiceError} `forbidden_scope` when the key's scopes do not cover this */
function checkScopes(c: Context<BackendEnv>, { turns }: Asking['asked']): void {
  const header = c.req.header(forwardHeaders.keyScopes)
  if (header === undefined) return
  const images = imagesOf(turns)
  const needed = new Set(
    images.map(({ source }) => (source.kind === 'url' ? 'image_url' : 'image')),
  )
  const scopes = header.split(',')
  const missing = (needed.size === 0 ? ['text'] : [...needed]).find(
    (each) => !scopes.includes(each),
  )
  if (missing === undefined) return
  throw new ServiceError('forbidden_scope', `The API key lacks the scope ${missing}`)
}
