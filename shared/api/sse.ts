import type { AnswerUsage, FinishReason, NativeLogprob, Timings } from './events.ts'
import type { ErrorBody } from './errors.ts'

/** The native event stream: event name -> data. Event names and fields are part of the public contract. */
export interface StreamEvents {
  readonly queued: { readonly request_id: string; readonly position: number }
  readonly delta: {
    /** Index of the choice it continues, when `n` is over 1. */
    readonly index?: number
    readonly text: string
    readonly logprobs?: readonly NativeLogprob[]
  }
  readonly end: {
    readonly finish_reason: FinishReason
    /** Reasons of all choices, when `n` is over 1. */
    readonly finish_reasons?: readonly FinishReason[]
    readonly usage: AnswerUsage
    readonly timings: Timings
    readonly request_id: string
  }
  readonly error: ErrorBody
}

/** One server-sent event (WHATWG HTML section 9.2). JSON holds no raw newline, so one data line is enough. */
export function formatEvent<Name extends keyof StreamEvents>(
  name: Name,
  data: StreamEvents[Name],
): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`
}

/** A comment line that keeps proxies from closing an idle stream. */
export const heartbeatText = ': heartbeat\n\n'

export interface ServerSentEvent {
  readonly event: string
  readonly data: string
}

/** Splits a byte stream into events, regardless of how it is chunked. Comments are dropped. */
export async function* parseEvents(
  bytes: AsyncIterable<Uint8Array>,
): AsyncGenerator<ServerSentEvent> {
  const decoder = new TextDecoder()
  let pending = ''
  for await (const chunk of bytes) {
    pending += decoder.decode(chunk, { stream: true })
    for (;;) {
      const end = pending.indexOf('\n\n')
      if (end < 0) break
      const event = parseBlock(pending.slice(0, end))
      pending = pending.slice(end + 2)
      if (event !== undefined) yield event
    }
  }
}

function parseBlock(block: string): ServerSentEvent | undefined {
  let event = 'message'
  const data: string[] = []
  for (const line of block.split('\n')) {
    if (line.startsWith('event:')) event = line.slice(6).trim()
    else if (line.startsWith('data:')) data.push(line.slice(5).replace(/^ /, ''))
  }
  return data.length === 0 ? undefined : { event, data: data.join('\n') }
}
