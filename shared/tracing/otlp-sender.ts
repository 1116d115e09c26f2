import { JsonTraceSerializer } from '@opentelemetry/otlp-transformer'
import type { ReadableSpan } from '@opentelemetry/sdk-trace'
import type { TracingConfig } from './settings.ts'

/** Whether the collector has them; `later`: it may take them another time. Never rejects. */
export type SendSpans = (spans: readonly ReadableSpan[]) => Promise<'sent' | 'later' | 'refused'>

export type Post = (url: string, init: RequestInit) => Promise<Response>

/** Statuses after which a client may send the same again (OTLP specification, "Failures"). */
const temporary: ReadonlySet<number> = new Set([429, 502, 503, 504])

/** Sends spans to a collector in OTLP/HTTP's JSON form. */
export function createOtlpSender(
  { url, headers, timeoutMs }: Pick<TracingConfig, 'url' | 'headers' | 'timeoutMs'>,
  post: Post,
): SendSpans {
  return async (spans) => {
    try {
      const body = JsonTraceSerializer.serializeRequest([...spans])
      if (body === undefined) return 'refused'
      const response = await post(url, {
        method: 'POST',
        headers: [...headers.map(([name, value]): [string, string] => [name, value]), json],
        body: new Uint8Array(body),
        // The headers may hold a secret, which is for this address alone.
        redirect: 'manual',
        signal: AbortSignal.timeout(timeoutMs),
      })
      await response.body?.cancel()
      if (response.ok) return 'sent'
      return temporary.has(response.status) ? 'later' : 'refused'
    } catch {
      return 'later'
    }
  }
}

const json: [string, string] = ['content-type', 'application/json']
