import { isEventStream } from '../../../shared/api/wire/media-type.ts'
import { formatAnsweringComment } from '../../../shared/api/mcp/error-form.ts'
import type { McpMessage } from '../../../shared/api/mcp/peek-message.ts'
import type { Usage } from '../../../shared/api/events.ts'
import { orTimeout } from '../../../shared/async/within-time.ts'
import { forwardHeaders } from '../../../shared/forward/headers.ts'
import {
  formatEndComment,
  formatFailedComment,
  formatUsage,
  formatUsageComment,
} from '../../../shared/forward/usage-comment.ts'
import type { Exchange } from '../exchange/exchange.ts'
import { streamHeaders, streamOf, type StreamOptions } from '../answer/render.ts'

interface Metering extends StreamOptions {
  readonly exchange: Exchange
  readonly message: McpMessage
}

const noUsage: Usage = { prompt_tokens: 0, image_tokens: 0, completion_tokens: 0 }

/** The package's answer with its usage for the edge: in a header, or in comments between the events of a stream. */
export function meteredAnswer(answer: Response, metering: Metering): Response {
  const { status, body } = answer
  if (body === null || !isEventStream(answer.headers.get('content-type'))) {
    const response = new Response(body, answer)
    if (status < 400) response.headers.set(forwardHeaders.usage, formatUsage(noUsage))
    return response
  }
  const texts = eventTexts(body.pipeThrough(new TextDecoderStream()).getReader(), metering)
  metering.exchange.onEnd(() => void texts.return(undefined))
  return new Response(streamOf(texts), { status, headers: streamHeaders })
}

async function* eventTexts(
  source: ReadableStreamDefaultReader<string>,
  { exchange, message, after, heartbeatMs }: Metering,
): AsyncGenerator<string, undefined, undefined> {
  const answering = formatAnsweringComment(message.id)
  try {
    yield answering
    let pending = source.read()
    for (;;) {
      const next = await orTimeout(pending, heartbeatMs, after)
      if (next === undefined) {
        yield answering + usageSoFar(exchange)
        continue
      }
      if (next.done) break
      // A piece may end within an event, and comments only go between events.
      yield next.value.endsWith('\n\n') ? next.value + usageSoFar(exchange) : next.value
      pending = source.read()
    }
    yield lastComment(exchange, message)
  } finally {
    source.cancel().catch(() => undefined)
  }
}

function usageSoFar({ facts: { usage } }: Exchange): string {
  return usage === undefined ? '' : formatUsageComment(usage)
}

function lastComment({ facts: { usage, errorCode } }: Exchange, { call }: McpMessage): string {
  if (errorCode !== undefined) return formatFailedComment(errorCode)
  // Without usage the package refused the call because of its arguments, before the tool ran.
  if (call !== undefined && usage === undefined) return formatFailedComment('invalid_field')
  return formatEndComment(usage ?? noUsage)
}
