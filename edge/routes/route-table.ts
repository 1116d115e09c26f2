import { maxFormFieldBytes, maxJsonBytes } from '../../shared/api/limits.ts'
import { type RouteName, routes } from '../../shared/api/routes.ts'
import type { EdgeHandler } from '../calls/context.ts'
import type { ReadCall } from '../calls/run-call.ts'
import { type HealthParts, healthRoute } from './health/health-route.ts'
import { type ImageParts, readImage } from './image/read-image.ts'
import { type ImageUrlParts, readImageUrl } from './image-url/read-image-url.ts'
import { readText } from './text/read-text.ts'

export type RouteParts = HealthParts & ImageParts & ImageUrlParts

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
  const servings: Record<RouteName, Serving> = {
    health: { answer: healthRoute(parts) },
    text: { read: readText, keepsAnswers: true, readsWhole: maxJsonBytes },
    image: { read: readImage(parts), keepsAnswers: true, readsWhole: 0 },
    imageUrl: { read: readImageUrl(parts), keepsAnswers: true, readsWhole: maxFormFieldBytes },
  }
  return (Object.keys(servings) as RouteName[]).map((name) => ({
    ...routes[name],
    ...servings[name],
  }))
}
