import { maxFormFieldBytes, maxJsonBytes } from '../../shared/api/limits.ts'
import { notStored } from '../../shared/api/responses/not-stored.ts'
import { aboutRoutes, probeRoutes, type RouteName, routes } from '../../shared/api/routes.ts'
import { smallBodyBytes } from '../body/peek-head.ts'
import type { EdgeHandler } from '../calls/context.ts'
import type { ReadCall } from '../calls/run-call.ts'
import { openApiRoute } from '../openapi/openapi-route.ts'
import {
  type ConversationParts,
  readConversation,
  readCounting,
} from './conversation/read-conversation.ts'
import { type HealthParts, probeHandlers } from './health/health-route.ts'
import { type ImageParts, readImage } from './image/read-image.ts'
import { type ImageUrlParts, readImageUrl } from './image-url/read-image-url.ts'
import { readMcp } from './mcp/read-mcp.ts'
import { type ModelsParts, modelsRoute } from './models/models-route.ts'
import { indexRoute } from './index/index-route.ts'
import { pageFileRoute, type PageParts, pageRoute } from './page/page-routes.ts'
import { readText } from './text/read-text.ts'

export type RouteParts = HealthParts &
  ImageParts &
  ImageUrlParts &
  ConversationParts &
  ModelsParts &
  PageParts

/**
 * How a route is served: either as a call, all of which are metered, forwarded and relayed in the same way, or by its
 * own handler.
 */
type Serving =
  | {
      readonly read: ReadCall
      /** Whether an `Idempotency-Key` keeps its answers. */
      readonly keepsAnswers: boolean
      /** The most bytes of a body that are read completely; an upload passes through. */
      readonly readsWhole: number
    }
  | { readonly answer: EdgeHandler }

const served = { ...routes, ...probeRoutes, ...aboutRoutes }
type ServedName = keyof typeof served

export type ServedRoute = (typeof served)[ServedName] & Serving

/** The public routes, each with a folder of its own. A new one is an entry here and a folder. */
export function routeTable(parts: RouteParts): readonly ServedRoute[] {
  const probes = probeHandlers(parts)
  const conversation = (name: RouteName): Serving => ({
    read: readConversation(routes[name].path, parts),
    keepsAnswers: true,
    readsWhole: smallBodyBytes,
  })
  const counting = (name: RouteName): Serving => ({
    read: readCounting(routes[name].path, parts),
    keepsAnswers: false,
    readsWhole: smallBodyBytes,
  })
  const servings: Record<ServedName, Serving> = {
    health: { answer: probes.health },
    livez: { answer: probes.livez },
    readyz: { answer: probes.readyz },
    text: { read: readText, keepsAnswers: true, readsWhole: maxJsonBytes },
    image: {
      read: readImage(parts),
      keepsAnswers: true,
      readsWhole: parts.stickyByContent ? smallBodyBytes : 0,
    },
    imageUrl: { read: readImageUrl(parts), keepsAnswers: true, readsWhole: maxFormFieldBytes },
    chat: conversation('chat'),
    chatTokens: counting('chatTokens'),
    responses: conversation('responses'),
    responsesTokens: counting('responsesTokens'),
    response: {
      answer: () => {
        throw notStored()
      },
    },
    messages: conversation('messages'),
    messagesTokens: counting('messagesTokens'),
    // MCP clients send no `Idempotency-Key`, and the answers in its streams contain the id of their request.
    mcp: { read: readMcp(parts), keepsAnswers: false, readsWhole: smallBodyBytes },
    models: { answer: modelsRoute(parts) },
    model: { answer: modelsRoute(parts) },
    index: { answer: indexRoute(parts) },
    docs: { answer: pageRoute(parts, '/docs') },
    pageFile: { answer: pageFileRoute(parts) },
    openapi: { answer: openApiRoute() },
  }
  return (Object.keys(servings) as ServedName[]).map((name) => ({
    ...served[name],
    ...servings[name],
  }))
}
