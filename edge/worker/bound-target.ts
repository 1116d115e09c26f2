import type { BoundBackend } from './config.ts'
import { backendId } from '../backends/backend-urls.ts'
import type { BackendTarget } from '../backends/target.ts'

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
        ...(body !== undefined && { body: body as NonNullable<RequestInit['body']> }),
        redirect: 'manual',
      }),
  }
}
