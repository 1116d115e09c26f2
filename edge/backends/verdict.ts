import * as z from 'zod'
import { errorKinds, type ErrorCode } from '../../shared/api/errors.ts'
import type { Failure } from './breaker.ts'

/** Cloudflare's own answers for a backend it found no connection to (down, timeout, no route, TLS). */
const notConnected: ReadonlySet<number> = new Set([521, 522, 523, 525, 526])

/** Codes that mean: nothing was generated, and another backend may do it. */
const turnedAway: ReadonlySet<ErrorCode> = new Set([
  'queue_full',
  'model_loading',
  'shutting_down',
  'engine_restarted',
  'backend_unavailable',
] satisfies ErrorCode[])

const errorAnswer = z.object({ error: z.object({ code: z.string() }) })

/** Cloudflare answers for a backend that cannot be reached; elsewhere the call fails. */
export function isNotConnected(status: number): boolean {
  return notConnected.has(status)
}

/** What a status tells about the backend; undefined when it is well. */
export function failureOf(status: number): Failure | undefined {
  // 403: it does not know this edge's certificate, and will refuse the next request too.
  if (status === 503 || status === 403) return 'unreachable'
  return status >= 500 && status !== errorKinds.deadline_exceeded.status ? 'fault' : undefined
}

/** Whether the backend says it did nothing for this request, so that another one may. */
export function wasTurnedAway(status: number, body: ArrayBuffer): boolean {
  if (status === 403) return true
  if (status !== 503 && status !== 429) return false
  try {
    const { error } = errorAnswer.parse(JSON.parse(new TextDecoder().decode(body)))
    return turnedAway.has(error.code as ErrorCode)
  } catch {
    return false
  }
}
