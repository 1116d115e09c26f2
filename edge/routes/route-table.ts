import { maxFormFieldBytes, maxJsonBytes } from '../../shared/api/limits.ts'
import { type RouteName, routes } from '../../shared/api/routes.ts'
import { smallBodyBytes } from '../body/peek-head.ts'
import type { EdgeHandler } from '../calls/context.ts'
import type { ReadCall } from '../calls/run-call.ts'
import { type ConversationParts, readConversation } from './conversation/read-conversation.ts'
import { type HealthParts, healthRoute } from './health/health-route.ts'
import { type ImageParts, readImage } from './image/read-image.ts'
import { type ImageUrlParts, readImageUrl } from './image-url/read-image-url.ts'
import { readMcp } from './mcp/read-mcp.ts'
import { type ModelsParts, modelsRoute } from './models/models-route.ts'
import { readText } from './text/read-text.ts'

export type RouteParts = HealthParts & ImageParts & ImageUrlParts & ConversationParts & ModelsParts

/** How a route is served: as a call, which is metered, forwarded and relayed alike for all of them; or by itself. */
type Serving =
  | {
      readonly read: ReadCall
      /** Whether an `Idempotency-Key` keeps its answers. */
      readonly keepsAnswers: boolean
      /** Bytes of a body that is read whole at most; an upload passes through. */
      readonly readsWhole: number
    }
  | { readonly answer: EdgeHandler }

export type ServedRoute = (typeof routes)[RouteName] & Serving

/** The public routes, each with a folder of its own here. A new one is an entry here and such a folder. */
export function routeTable(parts: RouteParts): readonly ServedRoute[] {
  const conversation = (name: RouteName): Serving => ({
    read: readConversation(routes[name].path, parts),
    keepsAnswers: true,
    readsWhole: smallBodyBytes,
  })
  const servings: Record<RouteName, Serving> = {
    health: { answer: healthRoute(parts) },
    text: { read: readText, keepsAnswers: true, readsWhole: maxJsonBytes },
    image: { read: readImage(parts), keepsAnswers: true, readsWhole: 0 },
    imageUrl: { read: readImageUrl(parts), keepsAnswers: true, readsWhole: maxFormFieldBytes },
    chat: conversation('chat'),
    // Clients of MCP send no `Idempotency-Key`, and answers of its streams name the request they answer.
    mcp: { read: readMcp(parts), keepsAnswers: false, readsWhole: smallBodyBytes },
    models: { answer: modelsRoute(parts) },
    model: { answer: modelsRoute(parts) },
  }
  return (Object.keys(servings) as RouteName[]).map((name) => ({
    ...routes[name],
    ...servings[name],
  }))
}
