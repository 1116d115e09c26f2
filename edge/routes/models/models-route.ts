import { startDeadline } from '../../../shared/async/deadline.ts'
import { ServiceError } from '../../../shared/api/errors.ts'
import { requestIdHeader } from '../../../shared/api/wire/request-id.ts'
import type { CallBackend } from '../../backends/exchange.ts'
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
    try {
      const { answer } = await backend(new URL(c.req.url).pathname, {
        method: 'GET',
        headers: { [requestIdHeader]: call.requestId },
        signal: deadline.signal,
      })
      const headers = clientResponseHeaders(answer.headers)
      return new Response(await answer.arrayBuffer(), { status: answer.status, headers })
    } catch (cause) {
      const message = 'The model server cannot be reached'
      throw new ServiceError('backend_unavailable', message, { cause })
    } finally {
      deadline.release()
    }
  }
}
