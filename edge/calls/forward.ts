import { startDeadline, type Deadline } from '../../shared/async/deadline.ts'
import { ServiceError } from '../../shared/api/errors.ts'
import { affinityOf } from '../backends/hint.ts'
import type { BackendAnswer, BackendBody, EdgeContext, Platform } from '../platform.ts'
import { runSignal } from './run-signal.ts'
import { backendRequestHeaders } from './headers.ts'

/** What goes to the backend. */
export interface ForwardedMessage {
  readonly path: string
  readonly body: BackendBody
  /** Replaces the client's, when the body was rewritten. */
  readonly contentType?: string
  /** Bytes; undefined for a chunked body. */
  readonly contentLength?: number | undefined
  /** Names what the backend may have cached; equal ones go to the same backend if it has room. */
  readonly affinity?: string | undefined
  /** Why the body broke, if the client is to blame. */
  readonly bodyFailure?: () => ServiceError | undefined
}

/** Milliseconds the edge waits beyond the deadline it states, so that the backend gets to answer it. */
const deadlineGraceMs = 1_000

/**
 * Sends the message to the backend. The client's leaving reaches the backend
 * through the signal, before and after the answer's headers.
 * @throws {ServiceError} `backend_unavailable`, `deadline_exceeded`, `cancelled`, or what `bodyFailure` tells
 */
export async function forward(
  c: EdgeContext,
  platform: Platform,
  message: ForwardedMessage,
): Promise<BackendAnswer> {
  const content = platform.stickyByContent ? message.affinity : undefined
  const affinity = affinityOf(c.req.raw.headers, content)
  const leftMs = Math.max(1, platform.deadlineMs - (platform.now() - c.get('startedAt')))
  const deadline = startDeadline(leftMs + deadlineGraceMs, runSignal(c))
  c.set('withdraw', () => deadline.abort())
  try {
    const response = await platform.backend(message.path, {
      method: 'POST',
      headers: backendRequestHeaders({
        client: c.req.raw.headers,
        requestId: c.get('requestId'),
        keyId: c.get('key')?.id ?? 'none',
        deadlineMs: leftMs,
        ...message,
      }),
      body: message.body,
      signal: deadline.signal,
      affinity,
      bodyFailure: message.bodyFailure,
      onBackend: (id) => c.set('backendId', id),
      watchStream: (told) => c.set('onStreamEnd', told),
      background: (work) => platform.keepAlive(c, work),
    })
    // workerd ends a broken chunked body as if it were whole; the backend's opinion of the rest does not matter.
    const bodyFailure = message.bodyFailure?.()
    if (bodyFailure !== undefined) {
      discardBody(response)
      throw bodyFailure
    }
    if (response.status === 403) {
      // The backend does not know this edge's certificate; no client can do anything about it.
      discardBody(response)
      throw new Error('The backend refused the client certificate')
    }
    return response
  } catch (cause) {
    throw failureOf(cause, c, message, deadline)
  } finally {
    deadline.stopClock()
  }
}

function discardBody(response: BackendAnswer): void {
  response.body?.cancel().catch(() => undefined)
}

function failureOf(
  cause: unknown,
  c: EdgeContext,
  message: ForwardedMessage,
  deadline: Deadline,
): ServiceError {
  const bodyFailure = message.bodyFailure?.()
  if (bodyFailure !== undefined) return bodyFailure
  if (deadline.expired) {
    return new ServiceError('deadline_exceeded', 'The request took longer than it may', { cause })
  }
  if (runSignal(c).aborted) {
    return new ServiceError('cancelled', 'The client left before the answer', { cause })
  }
  return new ServiceError('backend_unavailable', 'The model server cannot be reached', { cause })
}
