import { doorTimings } from '../doors/door-timings.ts'
import { openAiLogprobs } from '../doors/openai-logprobs.ts'
import type { AnswerFacts, Renderer, WholeChoice } from '../doors/renderer.ts'
import { saidParts } from '../doors/said-parts.ts'
import type { AnswerUsage, Ending, GenerationEvent, SampledLogprob, Timings } from '../events.ts'
import { heartbeatText } from '../wire/sse.ts'
import { failedEvents } from './error-form.ts'
import { itemId, itemView, type OutputItem, partTypes, partView } from './output-items.ts'
import { newResponse, type ResponseEcho, responseEventPieces } from './response-object.ts'

interface ResponsesOptions extends AnswerFacts {
  readonly echo: ResponseEcho
}

interface Said {
  readonly ending: Ending
  readonly items: readonly OutputItem[]
  readonly usage: AnswerUsage
  readonly timings: Timings
}

type ItemType = OutputItem['type']

/** Answers in the form of OpenAI's responses: what the model thought, if it did, then one message of one text. */
export function responsesRenderer(options: ResponsesOptions): Renderer {
  const stream = new ResponseStream(options)
  return {
    headerDelayMs: 5_000,
    heartbeat: heartbeatText,
    whole: ({ choices: [choice], usage, timings }) =>
      endedResponse(options, { ending: choice, items: itemsOf(choice), usage, timings }),
    event: (event) => stream.event(event),
    failure: (error) => stream.failure(error),
  }
}

function itemsOf(choice: WholeChoice): OutputItem[] {
  return saidParts(choice).map(({ kind, text }) =>
    kind === 'thought'
      ? { type: 'reasoning', text, logprobs: [] }
      : { type: 'message', text, logprobs: choice.logprobs },
  )
}

/** The item being streamed. */
interface OpenItem {
  readonly type: ItemType
  readonly texts: string[]
  readonly logprobs: SampledLogprob[]
}

/** The part of a response that has been streamed. */
class ResponseStream {
  readonly #options: ResponsesOptions
  #next = 0
  readonly #ended: OutputItem[] = []
  #open: OpenItem | undefined

  constructor(options: ResponsesOptions) {
    this.#options = options
  }

  *event(event: GenerationEvent): Generator<string> {
    switch (event.type) {
      case 'queued':
        yield `: queued ${event.position}\n\n`
        yield* this.#begin()
        return
      case 'reasoning':
        yield* this.#continue('reasoning', event.text, [])
        return
      case 'delta':
        yield* this.#continue('message', event.text, event.logprobs ?? [])
        return
      case 'end':
        yield* this.#end(event)
    }
  }

  failure(error: Parameters<Renderer['failure']>[0]): string {
    const { requestId } = this.#options
    const response = newResponse(this.#options)
    const created = this.#next === 0 ? [...this.#say('created', { response })].join('') : ''
    return created + failedEvents(error, requestId, this.#next, response)
  }

  *#begin(): Generator<string> {
    const response = newResponse(this.#options)
    yield* this.#say('created', { response })
    yield* this.#say('in_progress', { response })
    // With a thought, the message is not the first item.
    if (!this.#options.reasons) yield* this.#enter('message')
  }

  *#continue(type: ItemType, text: string, logprobs: readonly SampledLogprob[]): Generator<string> {
    yield* this.#enter(type)
    this.#open?.texts.push(text)
    this.#open?.logprobs.push(...logprobs)
    const more = type === 'message' ? { logprobs: openAiLogprobs(logprobs) } : {}
    yield* this.#say(`${partTypes[type]}.delta`, { ...this.#place, delta: text, ...more })
  }

  *#end({
    endings: [ending],
    usage,
    timings,
  }: Extract<GenerationEvent, { type: 'end' }>): Generator<string> {
    if (this.#open === undefined) yield* this.#enter('message')
    yield* this.#leave(statusOf(ending))
    const response = endedResponse(this.#options, { ending, items: this.#ended, usage, timings })
    yield* this.#say(response.status, { response })
  }

  *#enter(type: ItemType): Generator<string> {
    if (this.#open?.type === type) return
    yield* this.#leave('completed')
    this.#open = { type, texts: [], logprobs: [] }
    const item = itemView(type, this.#options.requestId, 'in_progress', [])
    const part = partView({ type, text: '', logprobs: [] })
    yield* this.#say('output_item.added', { output_index: this.#ended.length, item })
    yield* this.#say('content_part.added', { ...this.#place, part })
  }

  *#leave(status: 'completed' | 'incomplete'): Generator<string> {
    if (this.#open === undefined) return
    const { type, texts, logprobs } = this.#open
    const said: OutputItem = { type, text: texts.join(''), logprobs }
    const part = partView(said)
    const item = itemView(type, this.#options.requestId, status, [part])
    const { text } = said
    const more = type === 'message' ? { logprobs: openAiLogprobs(logprobs) } : {}
    yield* this.#say(`${partTypes[type]}.done`, { ...this.#place, text, ...more })
    yield* this.#say('content_part.done', { ...this.#place, part })
    yield* this.#say('output_item.done', { output_index: this.#ended.length, item })
    this.#ended.push(said)
    this.#open = undefined
  }

  /** Of the part being streamed. */
  get #place(): object {
    const type = this.#open?.type ?? 'message'
    const { requestId } = this.#options
    return {
      item_id: itemId(type, requestId),
      output_index: this.#ended.length,
      content_index: 0,
    }
  }

  *#say(name: string, data: object): Generator<string> {
    const number = this.#next
    this.#next += 1
    yield* responseEventPieces(`response.${name}`, number, data)
  }
}

function endedResponse(options: ResponsesOptions, said: Said) {
  const { ending, items, usage, timings } = said
  const status = statusOf(ending)
  return {
    ...newResponse(options),
    status,
    completed_at: status === 'completed' ? options.createdAt + secondsOf(timings) : null,
    incomplete_details: status === 'completed' ? null : { reason: 'max_output_tokens' },
    output: items.map((item, index) => {
      const isLast = index === items.length - 1
      const parts = [partView(item)]
      return itemView(item.type, options.requestId, isLast ? status : 'completed', parts)
    }),
    usage: {
      input_tokens: usage.prompt_tokens,
      input_tokens_details: {
        cached_tokens: usage.cached_tokens,
        cache_write_tokens: 0,
        image_tokens: usage.image_tokens,
      },
      output_tokens: usage.completion_tokens,
      output_tokens_details: { reasoning_tokens: usage.reasoning_tokens ?? 0 },
      total_tokens: usage.prompt_tokens + usage.completion_tokens,
    },
    timings: doorTimings(timings, [ending]),
  }
}

function statusOf({ reason }: Ending): 'completed' | 'incomplete' {
  return reason === 'stop' ? 'completed' : 'incomplete'
}

function secondsOf({ total_ms: ms }: Timings): number {
  return Math.round(ms / 1_000)
}
