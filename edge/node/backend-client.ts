import { Agent, type Dispatcher } from 'undici'
import type { BackendInit, Platform } from '../platform.ts'
import type { ClientIdentity } from './config.ts'
import { toWebStream } from './web-stream.ts'

/** Milliseconds for connection and handshake: a client learns within a second that the backend is gone. */
const connectTimeoutMs = 800

/** Milliseconds without a byte inside an answer; streams carry a heartbeat every 10 s. */
const bodyTimeoutMs = 60_000

/** Calls the backend with the edge's certificate and believes only certificates of the given CA. */
export function createBackendClient(
  backendUrl: string,
  { ca, cert, key }: ClientIdentity,
): { readonly backend: Platform['backend'] } {
  const agent = new Agent({
    connect: { ca, cert, key, minVersion: 'TLSv1.2', timeout: connectTimeoutMs },
    // A whole answer's headers come after the last token; the request's deadline limits that.
    headersTimeout: 0,
    bodyTimeout: bodyTimeoutMs,
  })
  const origin = new URL(backendUrl).origin
  return {
    async backend(path, { method, headers, body, signal }: BackendInit) {
      const response = await agent.request({
        origin,
        path,
        method,
        headers: Object.fromEntries(headers),
        body: (body ?? null) as Dispatcher.RequestOptions['body'] & object,
        signal,
      })
      return new Response(toWebStream(response.body), {
        status: response.statusCode,
        headers: headersOf(response.headers),
      })
    },
  }
}

function headersOf(received: Record<string, string | string[] | undefined>): Headers {
  const headers = new Headers()
  for (const [name, value] of Object.entries(received)) {
    for (const one of value === undefined ? [] : [value].flat()) headers.append(name, one)
  }
  return headers
}
