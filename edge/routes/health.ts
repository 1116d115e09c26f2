import * as z from 'zod'
import { startDeadline } from '../../shared/async/deadline.ts'
import { requestIdHeader } from '../../shared/api/request-id.ts'
import { routes } from '../../shared/api/routes.ts'
import type { EdgeHandler, Platform } from '../platform.ts'

/** Milliseconds the backend has to answer; whoever asks for health asks again soon. */
const timeoutMs = 800

/** Milliseconds an answer stands: anybody may ask, and must not reach the backend with every question. */
const cacheMs = 1_000

const unavailable = z.object({
  status: z.literal('unavailable'),
  reason: z.enum(['model_loading', 'engine_restarting']),
})

type Health =
  | { readonly status: 'healthy' }
  | z.infer<typeof unavailable>
  | { readonly status: 'unavailable'; readonly reason: 'backend_unreachable' }

/** `GET /health`: whether a request would be answered now, that is, whether the backend says so. */
export function healthRoute(platform: Platform): EdgeHandler {
  let last: { readonly health: Health; readonly at: number } | undefined
  return async (c) => {
    if (last === undefined || platform.now() - last.at >= cacheMs) {
      last = { health: await askBackend(platform, c.var.requestId), at: platform.now() }
    }
    return c.json(last.health, last.health.status === 'healthy' ? 200 : 503)
  }
}

async function askBackend(platform: Platform, requestId: string): Promise<Health> {
  const deadline = startDeadline(timeoutMs, new AbortController().signal)
  try {
    const response = await platform.backend(routes.health.path, {
      method: 'GET',
      headers: { [requestIdHeader]: requestId },
      signal: deadline.signal,
    })
    const answer: unknown = JSON.parse(new TextDecoder().decode(await response.arrayBuffer()))
    return response.status === 200 ? { status: 'healthy' } : unavailable.parse(answer)
  } catch {
    return { status: 'unavailable', reason: 'backend_unreachable' }
  } finally {
    deadline.release()
  }
}
