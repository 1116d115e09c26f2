import { startDeadline } from '../../../shared/async/deadline.ts'
import { requestIdHeader } from '../../../shared/api/wire/request-id.ts'
import type { CallBackend } from '../../backends/exchange.ts'
import { isStranger } from '../../backends/verdict.ts'
import { backendUnreachable, certificateRefused, clientGone } from '../../calls/call-errors.ts'
import type { EdgeHandler } from '../../calls/context.ts'
import { clientResponseHeaders } from '../../calls/headers.ts'

export interface ModelsParts {
  readonly backend: CallBackend
}

/** Milliseconds a backend may take to report its model. */
const timeoutMs = 5_000

/** `GET /v1/models` and `GET /v1/models/{id}`: only a backend knows. Nothing is generated, so nothing is metered. */
export function modelsRoute({ backend }: ModelsParts): EdgeHandler {
  return async (c) => {
    const { call } = c.var
    const deadline = startDeadline(timeoutMs, call.signal)
    const asked = backend(new URL(c.req.url).pathname, {
      method: 'GET',
      headers: { [requestIdHeader]: call.requestId },
      signal: deadline.signal,
    })
    try {
      const { answer } = await asked.catch((cause: unknown) => {
        throw call.signal.aborted ? clientGone(cause) : backendUnreachable(cause)
      })
      if (isStranger(answer)) throw certificateRefused()
      const headers = clientResponseHeaders(answer.headers)
      return new Response(await answer.arrayBuffer(), { status: answer.status, headers })
    } finally {
      deadline.release()
    }
  }
}
