import { startDeadline, type Deadline } from '../../shared/async/deadline.ts'
import { ServiceError } from '../../shared/api/errors.ts'
import type {
  BackendAnswer,
  BackendBody,
  BackendReply,
  CallBackend,
  StreamEnd,
} from '../backends/exchange.ts'
import { affinityOf } from '../backends/hint.ts'
import { isStranger } from '../backends/verdict.ts'
import type { Granted } from '../limits/reservation.ts'
import {
  backendUnreachable,
  certificateRefused,
  clientGone,
  deadlineExceeded,
} from './call-errors.ts'
import { timeLeft } from './call.ts'
import type { EdgeContext, KeepAlive } from './context.ts'
import { backendRequestHeaders } from './headers.ts'
import { shuttingDown, type Stopping } from './stopping.ts'

/** What is sent to the backend. */
export interface ForwardedMessage {
  readonly path: string
  readonly body: BackendBody
  /** Replaces the client's content type when the body was rewritten. */
  readonly contentType?: string
  /** Bytes; undefined for a chunked body. */
  readonly contentLength?: number | undefined
  /** Identifies what the backend may have cached; equal values go to the same backend if it has room. */
  readonly affinity?: string | undefined
  /** Whether every backend gets the message; one of them answers. */
  readonly forAll?: boolean
  /** The client's error if it is to blame for a broken body. */
  readonly bodyFailure?: () => ServiceError | undefined
}

export interface ForwardParts {
  readonly backend: CallBackend
  /** Whether equal prompts and images should go to the same backend, for the sake of its caches. */
  readonly stickyByContent: boolean
  /** Milliseconds that one request may take in total. */
  readonly deadlineMs: number
  /** Milliseconds, for measuring time spans. */
  readonly now: () => number
  readonly keepAlive: KeepAlive
  readonly stopping: Stopping
}

/** Milliseconds the edge waits beyond the deadline it passes on, so that the backend can answer that it has passed. */
const deadlineGraceMs = 1_000

/**
 * Sends the message to the backend. When the client leaves, the signal stops the backend, before and after the
 * answer's headers.
 * @throws {ServiceError} `backend_unavailable`, `deadline_exceeded`, `cancelled`, `shutting_down`, or the result of
 * `bodyFailure`
 */
export async function forward(
  parts: ForwardParts,
  c: EdgeContext,
  message: ForwardedMessage,
  granted: Granted,
): Promise<BackendReply> {
  const { call } = c.var
  const client = c.req.raw.headers
  const sentAt = parts.now()
  call.phases.enter('backend', sentAt)
  call.forwardSpan = call.span?.child('forward', sentAt, 'client')
  const affinity = affinityOf(client, parts.stickyByContent ? message.affinity : undefined)
  const leftMs = timeLeft(call, parts)
  const { signal: stopped } = parts.stopping
  const parents = stopped === undefined ? [call.signal] : [call.signal, stopped]
  const deadline = startDeadline(leftMs + deadlineGraceMs, ...parents)
  try {
    const reply = await parts.backend(message.path, {
      method: 'POST',
      headers: backendRequestHeaders({
        client,
        requestId: call.requestId,
        keyId: call.key?.id ?? 'none',
        keyScopes: call.key?.scopes ?? [],
        deadlineMs: leftMs,
        granted,
        trace: call.forwardSpan?.headers(),
        ...message,
      }),
      body: message.body,
      signal: deadline.signal,
      affinity,
      forAll: message.forAll,
      bodyFailure: message.bodyFailure,
      holdAnswer: call.held && (() => call.held!.answer()),
      background: (work) => parts.keepAlive(c, work),
    })
    deadline.stopClock()
    refuseBadReply(reply, message)
    return releasedAtEnd(reply, deadline)
  } catch (cause) {
    deadline.release()
    throw failureOf(cause, parts.stopping, call.signal, message, deadline)
  }
}

/** A complete answer has been read by now; a streamed one follows the signals until it ends. */
function releasedAtEnd(reply: BackendReply, deadline: Deadline): BackendReply {
  if (reply.answer.body === null) {
    deadline.release()
    return reply
  }
  const ended = (how: StreamEnd) => {
    deadline.release()
    reply.ended(how)
  }
  return { ...reply, ended }
}

function refuseBadReply({ answer, ended }: BackendReply, message: ForwardedMessage): void {
  // workerd ends a broken chunked body as if it were complete; the backend's response to that part does not matter.
  const bodyFailure = message.bodyFailure?.()
  if (bodyFailure === undefined && !isStranger(answer)) return
  discardBody(answer)
  ended('left')
  if (bodyFailure !== undefined) throw bodyFailure
  throw certificateRefused()
}

function discardBody(answer: BackendAnswer): void {
  answer.body?.cancel().catch(() => undefined)
}

function failureOf(
  cause: unknown,
  stopping: Stopping,
  client: AbortSignal,
  message: ForwardedMessage,
  deadline: Deadline,
): ServiceError {
  const bodyFailure = message.bodyFailure?.()
  if (bodyFailure !== undefined) return bodyFailure
  if (cause instanceof ServiceError) return cause
  if (deadline.expired) return deadlineExceeded(cause)
  if (client.aborted) return clientGone(cause)
  return stopping.cut ? shuttingDown() : backendUnreachable(cause)
}
