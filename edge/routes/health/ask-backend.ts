import * as z from 'zod'
import { requestIdHeader } from '../../../shared/api/wire/request-id.ts'
import { routes } from '../../../shared/api/routes.ts'
import { startDeadline } from '../../../shared/async/deadline.ts'
import type { CallBackend } from '../../backends/exchange.ts'

/** Milliseconds within which a probe is answered; health checks are repeated soon anyway. */
export const probeTimeoutMs = 800

const unavailable = z.object({
  status: z.literal('unavailable'),
  reason: z.enum(['model_loading', 'engine_restarting', 'shutting_down']),
})

export type Health =
  | { readonly status: 'healthy' }
  | z.infer<typeof unavailable>
  | { readonly status: 'unavailable'; readonly reason: 'backend_unreachable' }

export const unreachable = { status: 'unavailable', reason: 'backend_unreachable' } as const

/** Whether a request would be answered now, according to the backend. Never rejects. */
export async function askBackend(backend: CallBackend, requestId: string): Promise<Health> {
  const deadline = startDeadline(probeTimeoutMs)
  try {
    const { answer } = await backend(routes.health.path, {
      method: 'GET',
      headers: { [requestIdHeader]: requestId },
      signal: deadline.signal,
    })
    const reported: unknown = JSON.parse(new TextDecoder().decode(await answer.arrayBuffer()))
    return answer.status === 200 ? { status: 'healthy' } : unavailable.parse(reported)
  } catch {
    return unreachable
  } finally {
    deadline.release()
  }
}
