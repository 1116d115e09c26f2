import * as z from 'zod'
import { errorKinds, type ErrorCode } from '../../shared/api/errors.ts'
import { forwardHeaders } from '../../shared/forward/headers.ts'
import type { Failure } from '../../shared/balance/breaker.ts'
import type { BackendAnswer } from './exchange.ts'
import { NotConnectedError } from './target.ts'

/** Statuses with which Cloudflare answers when it cannot connect to a backend (down, timeout, no route, TLS). */
const connectTimedOut = 522
const notConnected: ReadonlySet<number> = new Set([521, connectTimedOut, 523, 525, 526])

/** Codes that mean that nothing was generated and another backend may be tried. */
const turnedAway: ReadonlySet<ErrorCode> = new Set([
  'queue_full',
  'model_loading',
  'shutting_down',
  'engine_restarted',
  'backend_unavailable',
] satisfies ErrorCode[])

/** The code in the form of most APIs, or in that of Messages. */
const errorAnswer = z.object({
  error: z.union([
    z.object({ code: z.string() }),
    z.object({ details: z.object({ error_code: z.string() }) }),
  ]),
})

/** What `/health` says instead of an error. */
const healthAnswer = z.object({ status: z.literal('unavailable') })

/**
 * Cloudflare answers in place of an unreachable backend; on other platforms the call fails.
 * @throws {NotConnectedError}
 */
export function checkConnected(answer: Pick<BackendAnswer, 'status' | 'body'>): void {
  const { status } = answer
  if (!notConnected.has(status)) return
  // Asking for its stream creates it, after which the body can no longer be read as a whole.
  answer.body?.cancel().catch(() => undefined)
  throw new NotConnectedError(`Status ${status}`, { isSlow: status === connectTimedOut })
}

/** Whether it does not accept this edge's certificate, and will refuse the next request too. */
export function isStranger({
  status,
  headers,
}: Pick<BackendAnswer, 'status' | 'headers'>): boolean {
  const code = headers.get(forwardHeaders.errorCode)
  return status === 403 && (code === null || code === 'client_not_allowed')
}

/** What an answer says about the backend; undefined when it is healthy. */
export function failureOf(answer: Pick<BackendAnswer, 'status' | 'headers'>): Failure | undefined {
  const { status } = answer
  if (status === 503 || isStranger(answer)) return 'unreachable'
  return status >= 500 && status !== errorKinds.deadline_exceeded.status ? 'fault' : undefined
}

/** Whether the backend reports that it did nothing for this request, so that another one may. */
export function wasTurnedAway(
  answer: Pick<BackendAnswer, 'status' | 'headers'>,
  body: ArrayBuffer,
): boolean {
  if (isStranger(answer)) return true
  const { status } = answer
  if (status !== 503 && status !== 429) return false
  try {
    const reported: unknown = JSON.parse(new TextDecoder().decode(body))
    if (healthAnswer.safeParse(reported).success) return true
    const { error } = errorAnswer.parse(reported)
    const code = 'code' in error ? error.code : error.details.error_code
    return turnedAway.has(code as ErrorCode)
  } catch {
    return false
  }
}
