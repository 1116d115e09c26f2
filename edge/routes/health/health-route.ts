import * as z from 'zod'
import { jsonAnswer } from '../../../shared/api/json-answer.ts'
import { requestIdHeader } from '../../../shared/api/request-id.ts'
import { routes } from '../../../shared/api/routes.ts'
import { startDeadline } from '../../../shared/async/deadline.ts'
import { orTimeout } from '../../../shared/async/within-time.ts'
import type { CallBackend } from '../../backends/exchange.ts'
import type { EdgeHandler } from '../../calls/context.ts'
import type { Stopping } from '../../calls/stopping.ts'

export interface HealthParts {
  readonly backend: CallBackend
  readonly stopping: Stopping
  /** Milliseconds. */
  readonly now: () => number
}

/** Milliseconds the backend has to answer; whoever asks for health asks again soon. */
const timeoutMs = 800

/** Milliseconds an answer stands: anybody may ask, and must not reach the backend with every question. */
const cacheMs = 1_000

const unavailable = z.object({
  status: z.literal('unavailable'),
  reason: z.enum(['model_loading', 'engine_restarting', 'shutting_down']),
})

type Health =
  | { readonly status: 'healthy' }
  | z.infer<typeof unavailable>
  | { readonly status: 'unavailable'; readonly reason: 'backend_unreachable' }

const unreachable = { status: 'unavailable', reason: 'backend_unreachable' } as const
const stopped = { status: 'unavailable', reason: 'shutting_down' } as const

/**
 * `GET /health`: whether a request would be answered now, that is, whether the backend says so. However many ask, the
 * backend is asked once a second, and never twice at once.
 */
export function healthRoute({ backend, stopping, now }: HealthParts): EdgeHandler {
  let asked: { readonly health: Promise<Health>; readonly at: number } | undefined
  const look = async (requestId: string): Promise<Health> => {
    if (stopping.begun) return stopped
    if (asked === undefined || now() - asked.at >= cacheMs) {
      asked = { health: askBackend(backend, requestId), at: now() }
    }
    // A Worker may end the request that asks; the others do not wait for it longer than it may take.
    return (await orTimeout(asked.health, timeoutMs)) ?? unreachable
  }
  return async (c) => {
    const health = await look(c.var.call.requestId)
    return jsonAnswer(health, health.status === 'healthy' ? 200 : 503)
  }
}

async function askBackend(backend: CallBackend, requestId: string): Promise<Health> {
  const deadline = startDeadline(timeoutMs, new AbortController().signal)
  try {
    const { answer } = await backend(routes.health.path, {
      method: 'GET',
      headers: { [requestIdHeader]: requestId },
      signal: deadline.signal,
    })
    const told: unknown = JSON.parse(new TextDecoder().decode(await answer.arrayBuffer()))
    return answer.status === 200 ? { status: 'healthy' } : unavailable.parse(told)
  } catch {
    return unreachable
  } finally {
    deadline.release()
  }
}
