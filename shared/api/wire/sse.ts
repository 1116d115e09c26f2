import type { AnswerUsage, FinishReason, NativeLogprob, Timings } from '../events.ts'
import type { ErrorBody } from '../errors.ts'

/** The native event stream: event name -> data. Event names and fields are part of the public contract. */
export interface StreamEvents {
  readonly queued: { readonly request_id: string; readonly position: number }
  /** What the model thinks before it answers. */
  readonly reasoning: {
    /** As in `delta`. */
    readonly index?: number
    readonly text: string
  }
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
  /** Of the line whose end has not come yet. */
  const pieces: string[] = []
  let lines: string[] = []
  for await (const chunk of bytes) {
    const [first = '', ...others] = decoder.decode(chunk, { stream: true }).split('\n')
    pieces.push(first)
    for (const next of others) {
      const line = pieces.splice(0).join('')
      pieces.push(next)
      if (line !== '') {
        lines.push(line)
        continue
      }
      const event = parseLines(lines)
      lines = []
      if (event !== undefined) yield event
    }
  }
}

function parseLines(lines: readonly string[]): ServerSentEvent | undefined {
  let event = 'message'
  const data: string[] = []
  for (const line of lines) {
    if (line.startsWith('event:')) event = line.slice(6).trim()
    else if (line.startsWith('data:')) data.push(line.slice(5).replace(/^ /, ''))
  }
  return data.length === 0 ? undefined : { event, data: data.join('\n') }
}
