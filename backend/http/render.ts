import { jsonAnswer } from '../../shared/api/json-answer.ts'
import { errorBody } from '../../shared/api/errors.ts'
import type { ChoiceAnswer, GenerateAnswer, GenerationEvent } from '../../shared/api/events.ts'
import { formatEvent, heartbeatText } from '../../shared/api/sse.ts'
import { formatUsageComment } from '../../shared/forward/usage-comment.ts'
import { orTimeout } from '../../shared/async/within-time.ts'
import { unlessAborted } from '../../shared/async/unless-aborted.ts'
import type { Exchange } from './exchange.ts'
import type { After } from '../../shared/async/timer.ts'

type Delta = Extract<GenerationEvent, { type: 'delta' }>

export interface StreamOptions {
  readonly after: After
  /** Milliseconds without an event after which a sign of life is sent. */
  readonly heartbeatMs: number
}

/**
 * Milliseconds the headers of a stream wait for the first event. A failure within them is a plain error answer with
 * its own status; after them a waiting client should rather know that it is being served.
 */
const headerDelayMs = 300

const streamHeaders = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-store',
  // Asks nginx and its kin not to hold events back.
  'x-accel-buffering': 'no',
}

/**
 * The whole answer at once.
 * @param withLogprobs whether they were asked for
 * @throws what the events throw, or the exchange's abort reason
 */
export async function wholeAnswer(
  events: AsyncIterable<GenerationEvent>,
  exchange: Exchange,
  withLogprobs: boolean,
): Promise<Response> {
  const parts: Delta[] = []
  for await (const event of watched(events, exchange)) {
    if (event.type === 'delta') parts.push(event)
    if (event.type !== 'end') continue
    const outputs = event.finishReasons.map((reason, index) => {
      const own = parts.filter((part) => part.index === index)
      return {
        output: own.map(({ text }) => text).join(''),
        finish_reason: reason,
        ...(withLogprobs && { logprobs: own.flatMap(({ logprobs = [] }) => logprobs) }),
      } satisfies ChoiceAnswer
    })
    return jsonAnswer({
      ...outputs[0]!,
      ...(outputs.length > 1 && { outputs }),
      usage: event.usage,
      timings: event.timings,
      request_id: exchange.requestId,
    } satisfies GenerateAnswer)
  }
  throw endedEarly()
}

/**
 * The same events as they come. The reader sets the pace: an event is asked for when the last one is on its way.
 * @throws what the events throw before the headers are due
 */
export async function streamedAnswer(
  events: AsyncIterable<GenerationEvent>,
  exchange: Exchange,
  options: StreamOptions & { readonly choices: number },
): Promise<Response> {
  const source = watched(events, exchange)
  exchange.onEnd(() => void source.return(undefined))
  const first = source.next()
  await orTimeout(first, headerDelayMs, options.after)
  const body = streamOf(eventTexts(first, source, exchange, options))
  return new Response(body, { headers: streamHeaders })
}

/**
 * The events until the last one, or until the exchange is aborted. Ending in any way ends `events`, without waiting
 * for it: a source that is slow to give up must not hold back the answer.
 */
async function* watched(
  events: AsyncIterable<GenerationEvent>,
  { signal, facts }: Exchange,
): AsyncGenerator<GenerationEvent, undefined, undefined> {
  const iterator = events[Symbol.asyncIterator]()
  try {
    for (;;) {
      const next = await unlessAborted(iterator.next(), signal)
      if (next.done === true) throw endedEarly()
      if (next.value.type === 'end') {
        facts.finishReason = next.value.finishReasons[0]!
        facts.usage = next.value.usage
        facts.timings = next.value.timings
        yield next.value
        return
      }
      yield next.value
    }
  } finally {
    iterator.return?.().catch(() => undefined)
  }
}

function endedEarly(): Error {
  return new Error('The generation ended without its last event')
}

/** Server-sent events as text, with heartbeats between. A failure becomes the last event. */
async function* eventTexts(
  first: Promise<IteratorResult<GenerationEvent>>,
  source: AsyncGenerator<GenerationEvent, undefined, undefined>,
  exchange: Exchange,
  { after, heartbeatMs, choices }: StreamOptions & { readonly choices: number },
): AsyncGenerator<string, undefined, undefined> {
  let pending = first
  try {
    for (;;) {
      const next = await orTimeout(pending, heartbeatMs, after)
      if (next === undefined) {
        yield heartbeatText
        continue
      }
      if (next.done === true) return
      yield eventText(next.value, exchange.requestId, choices > 1) + usageText(next.value, exchange)
      pending = source.next()
    }
  } catch (thrown) {
    yield formatEvent('error', errorBody(exchange.noteFailure(thrown), exchange.requestId))
  } finally {
    await source.return(undefined)
  }
}

/** Behind each piece of text, what all text so far has used: an edge whose client leaves knows it. */
function usageText({ type }: GenerationEvent, { facts: { usage } }: Exchange): string {
  return type === 'delta' && usage !== undefined ? formatUsageComment(usage) : ''
}

function eventText(event: GenerationEvent, requestId: string, several: boolean): string {
  switch (event.type) {
    case 'queued':
      return formatEvent('queued', { request_id: requestId, position: event.position })
    case 'delta':
      return formatEvent('delta', {
        ...(several && { index: event.index }),
        text: event.text,
        ...(event.logprobs && { logprobs: event.logprobs }),
      })
    case 'end':
      return formatEvent('end', {
        finish_reason: event.finishReasons[0]!,
        ...(several && { finish_reasons: event.finishReasons }),
        usage: event.usage,
        timings: event.timings,
        request_id: requestId,
      })
  }
}

/** A stream without a buffer of its own: text is made when it is asked for. */
function streamOf(texts: AsyncGenerator<string, undefined, undefined>): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const next = await texts.next()
        if (next.done === true) controller.close()
        else controller.enqueue(encoder.encode(next.value))
      },
      async cancel() {
        await texts.return(undefined)
      },
    },
    { highWaterMark: 0 },
  )
}
