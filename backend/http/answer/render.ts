import type { GenerationEvent, SampledLogprob } from '../../../shared/api/events.ts'
import type { Renderer, WholeAnswer } from '../../../shared/api/doors/renderer.ts'
import { jsonTextAnswer } from '../../../shared/api/wire/json-answer.ts'
import { forwardHeaders } from '../../../shared/forward/headers.ts'
import { formatFailedComment, formatUsage } from '../../../shared/forward/usage-comment.ts'
import { orTimeout } from '../../../shared/async/within-time.ts'
import { unlessAborted } from '../../../shared/async/unless-aborted.ts'
import type { Exchange } from '../exchange/exchange.ts'
import { inTurns, jsonInTurns } from './in-turns.ts'
import { UsageComments } from './usage-comments.ts'
import type { After } from '../../../shared/async/timer.ts'

export interface StreamOptions {
  readonly after: After
  /** Milliseconds. */
  readonly now: () => number
  /** Milliseconds without an event after which a heartbeat is sent. */
  readonly heartbeatMs: number
}

export const streamHeaders = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-store',
  // Asks nginx and similar proxies not to buffer events.
  'x-accel-buffering': 'no',
}

/**
 * The complete answer, formatted by `renderer`.
 * @throws what the events throw, or the exchange's abort reason
 */
export async function wholeAnswer(
  events: AsyncIterable<GenerationEvent>,
  exchange: Exchange,
  renderer: Renderer,
): Promise<Response> {
  const gathered: Gathered[] = []
  for await (const event of watched(events, exchange)) {
    if (event.type === 'delta' || event.type === 'reasoning') gather(gathered, event)
    if (event.type !== 'end') continue
    const answer = wholeOf(gathered, event)
    const headers = { [forwardHeaders.usage]: formatUsage(answer.usage) }
    return jsonTextAnswer(await jsonInTurns(renderer.whole(answer)), 200, headers)
  }
  throw endedEarly()
}

/** What has arrived of one choice. */
interface Gathered {
  readonly thoughts: string[]
  readonly texts: string[]
  readonly logprobs: SampledLogprob[]
}

function gather(
  gathered: Gathered[],
  event: Extract<GenerationEvent, { type: 'reasoning' | 'delta' }>,
): void {
  const choice = (gathered[event.index] ??= { thoughts: [], texts: [], logprobs: [] })
  if (event.type === 'reasoning') {
    choice.thoughts.push(event.text)
    return
  }
  choice.texts.push(event.text)
  choice.logprobs.push(...(event.logprobs ?? []))
}

function wholeOf(
  gathered: readonly (Gathered | undefined)[],
  { endings, usage, timings }: Extract<GenerationEvent, { type: 'end' }>,
): WholeAnswer {
  const choiceOf = (ending: (typeof endings)[number], index: number) => {
    const { thoughts = [], texts = [], logprobs = [] } = gathered[index] ?? {}
    return { ...ending, reasoning: thoughts.join(''), text: texts.join(''), logprobs }
  }
  const [first, ...others] = endings
  const choices = [
    choiceOf(first, 0),
    ...others.map((ending, index) => choiceOf(ending, index + 1)),
  ] as const
  return { choices, usage, timings }
}

/**
 * The same events as they arrive, formatted by `renderer`. The reader sets the pace: the next event is requested when
 * the last one has been sent.
 * @throws what the events throw before the headers are due
 */
export async function streamedAnswer(
  events: AsyncIterable<GenerationEvent>,
  exchange: Exchange,
  renderer: Renderer,
  options: StreamOptions,
): Promise<Response> {
  const source = watched(events, exchange)
  exchange.onEnd(() => void source.return(undefined))
  const first = source.next()
  // After this time it is more useful for a waiting client to learn that it is being served than how the request
  // fails.
  await orTimeout(first, renderer.headerDelayMs, options.after)
  const body = streamOf(eventTexts(first, source, exchange, renderer, options))
  return new Response(body, { headers: streamHeaders })
}

/**
 * The events until the last one, or until the exchange is aborted. However the loop ends, `events` is closed without
 * waiting for it: a source that is slow to stop must not delay the answer.
 */
export async function* watched(
  events: AsyncIterable<GenerationEvent>,
  { signal, facts }: Exchange,
): AsyncGenerator<GenerationEvent, undefined, undefined> {
  const iterator = events[Symbol.asyncIterator]()
  try {
    for (;;) {
      const next = await unlessAborted(iterator.next(), signal)
      if (next.done === true) throw endedEarly()
      if (next.value.type === 'end') {
        facts.finishReasons = next.value.endings.map(({ reason }) => reason)
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

/** Server-sent events as text, with heartbeats in between. A failure becomes the last event. */
async function* eventTexts(
  first: Promise<IteratorResult<GenerationEvent>>,
  source: AsyncGenerator<GenerationEvent, undefined, undefined>,
  exchange: Exchange,
  renderer: Renderer,
  { after, heartbeatMs, now }: StreamOptions,
): AsyncGenerator<string, undefined, undefined> {
  const usage = new UsageComments(exchange, now)
  let pending = first
  try {
    for (;;) {
      const next = await orTimeout(pending, heartbeatMs, after)
      if (next === undefined) {
        yield renderer.heartbeat
        continue
      }
      if (next.done === true) return
      yield* inTurns(renderer.event(next.value), usage.behind(next.value))
      pending = source.next()
    }
  } catch (thrown) {
    const error = exchange.noteFailure(thrown)
    yield usage.rest() + renderer.failure(error) + formatFailedComment(error.code)
  } finally {
    await source.return(undefined)
  }
}

/** A stream without a buffer of its own: text is produced on demand. */
export function streamOf(
  texts: AsyncGenerator<string, undefined, undefined>,
): ReadableStream<Uint8Array> {
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
