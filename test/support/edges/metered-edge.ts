import { formatEvent } from '../../../shared/api/wire/sse.ts'
import type { ErrorBody } from '../../../shared/api/errors.ts'
import { formatEndComment, formatUsageComment } from '../../../shared/forward/usage-comment.ts'
import type { LogLine } from '../../../shared/log/log-line.ts'
import { createEdgeApp } from '../../../edge/app.ts'
import type { KeyLimits } from '../../../edge/keys/key-record.ts'
import { KeyMeter } from '../../../edge/limits/key-meter.ts'
import { localMeter } from '../../../edge/limits/local-meter.ts'
import { timings } from '../answer-timings.ts'
import { testKeys, testSqlite } from './test-keys.ts'
import { testPlatform, type TestPlatformParts } from './test-platform.ts'

/** Noon of the day on which all calls happen, in milliseconds. */
export const noon = Date.UTC(2026, 10, 22, 12)
export const usage = { prompt_tokens: 30, image_tokens: 20, completion_tokens: 7 }
const answerUsage = { ...usage, cached_tokens: 5 }
const rest = { finish_reason: 'stop', usage: answerUsage, timings, request_id: 'r' } as const
/** How a backend reports `usage` in a header. */
export const usageHeader = { 'x-usage': '30 20 7' }
export const whole = () => Response.json({ output: 'A cat.', ...rest }, { headers: usageHeader })
export const end = formatEvent('end', rest) + formatEndComment(usage)
export const delta =
  formatEvent('delta', { text: 'A' }) + formatUsageComment({ ...usage, completion_tokens: 3 })

export function eventStream(body: ReadableStream<Uint8Array>): Response {
  return new Response(body, { headers: { 'content-type': 'text/event-stream' } })
}

/** A stream the test writes to. */
export function openStream() {
  let controller!: ReadableStreamDefaultController<Uint8Array>
  let cancelled = false
  const body = new ReadableStream<Uint8Array>({
    start: (given) => {
      controller = given
    },
    cancel: () => {
      cancelled = true
    },
  })
  return {
    body,
    write: (text: string) => controller.enqueue(new TextEncoder().encode(text)),
    close: () => controller.close(),
    fail: () => controller.error(new Error('connection reset')),
    cancelled: () => cancelled,
  }
}

/** An edge with one key, `shop`, whose calls a backend answers and a real meter counts. */
export function meteredEdge(limits: KeyLimits, parts: TestPlatformParts = {}) {
  const clock = { ms: noon }
  const sql = testSqlite()
  const lines: LogLine[] = []
  const { keys, ...keyParts } = testKeys('root', clock)
  const key = { id: 'shop', scopes: ['text', 'image', 'image_url', 'admin'] as const, limits }
  const app = createEdgeApp(
    testPlatform({
      rootKey: 'root',
      clock,
      keys: { ...keys, verify: async () => ({ key }) },
      ...keyParts,
      meter: localMeter(new KeyMeter(sql), () => clock.ms),
      log: (line) => lines.push(line),
      backend: async () => whole(),
      ...parts,
    }),
  )
  const post = (path = '/generate/text', init: RequestInit = {}) =>
    app.request(path, {
      method: 'POST',
      headers: { 'x-api-key': 'any', 'content-type': 'application/json' },
      body: JSON.stringify({ prompt: 'Hi', max_tokens: 50 }),
      ...init,
    })
  const ledger = async () => {
    const response = await app.request('/admin/usage?key_id=shop', {
      headers: { 'x-api-key': 'a' },
    })
    return ((await response.json()) as { usage: Record<string, number>[] }).usage
  }
  const running = () => sql.all('SELECT call_id FROM calls').length
  return { app, post, ledger, running, clock, lines }
}

/** Status, code and `Retry-After`. */
export async function errorOf(response: Response): Promise<[number, string, string | null]> {
  const { error } = (await response.json()) as ErrorBody
  return [response.status, error.code, response.headers.get('retry-after')]
}
