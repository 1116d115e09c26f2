import { createEdgeApp } from '../../../edge/app.ts'
import type { BackendInit } from '../../../edge/backends/exchange.ts'
import type { ErrorBody } from '../../../shared/api/errors.ts'
import type { LogLine } from '../../../shared/log/log-line.ts'
import { testPlatform, type TestPlatformParts } from './test-platform.ts'

/** The beginning of a picture of one pixel. */
export const png = Uint8Array.from(
  Buffer.from('89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b55', 'hex'),
)

/** An edge on nothing: time, backend and internet are the test's. */
export function createTestEdge(parts: TestPlatformParts = {}) {
  const calls: { path: string; init: BackendInit }[] = []
  const lines: LogLine[] = []
  const clock = { ms: 0 }
  const { backend, ...others } = parts
  const app = createEdgeApp(
    testPlatform({
      clock,
      fetchPublic: async () => new Response(png),
      log: (line) => lines.push(line),
      ...others,
      async backend(path, init) {
        calls.push({ path, init })
        return backend?.(path, init) ?? Response.json({ output: 'A cat.' })
      },
    }),
  )
  const post = (path: string, value: unknown, init: RequestInit = {}) =>
    app.request(path, {
      method: 'POST',
      headers: { 'x-api-key': 'right-key', 'content-type': 'application/json' },
      body: JSON.stringify(value),
      ...init,
    })
  return { app, post, calls, lines, clock }
}

/** Status, code and field of an error. */
export async function errorOf(response: Response): Promise<[number, string, string | null]> {
  const { error } = (await response.json()) as ErrorBody
  return [response.status, error.code, error.param]
}

/** Settles when the signal aborts, as a backend call does. */
export function untilAborted(signal: AbortSignal): Promise<Response> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error))
  })
}
