import type { BoundBackend } from './config.ts'
import { backendId } from '../backends/backend-urls.ts'
import type { BackendBody } from '../backends/exchange.ts'
import type { BackendTarget } from '../backends/target.ts'
import { pumpedStream } from './pumped-stream.ts'

/** A Worker's backend, reached through its mTLS certificate binding. */
export function boundTarget({ url, fetcher }: BoundBackend): BackendTarget {
  const { origin } = new URL(url)
  return {
    id: backendId(url),
    send: (path, { method, headers, body, signal }) =>
      fetcher.fetch(origin + path, {
        method,
        headers,
        signal,
        ...(body !== undefined && { body: requestBody(body) }),
        redirect: 'manual',
      }),
  }
}

/** A list of chunks becomes a stream of known length, which is new for each attempt. */
function requestBody(body: BackendBody): NonNullable<RequestInit['body']> {
  if (!Array.isArray(body)) return body as NonNullable<RequestInit['body']>
  const chunks = body as readonly Uint8Array[]
  const length = chunks.reduce((sum, { byteLength }) => sum + byteLength, 0)
  return pumpedStream(oneByOne(chunks), length)
}

async function* oneByOne(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks
}
