import { chatTimings, openAiLogprobs } from '../chat/render.ts'
import type { AnswerFacts, Renderer } from '../doors/renderer.ts'
import type { AnswerUsage, Ending, GenerationEvent, SampledLogprob, Timings } from '../events.ts'
import { heartbeatText } from '../sse.ts'
import { failedEvents } from './error-form.ts'
import { formatResponseEvent, newResponse, type ResponseEcho } from './response-object.ts'

interface ResponsesOptions extends AnswerFacts {
  readonly echo: ResponseEcho
}

interface Said {
  readonly ending: Ending
  readonly text: string
  readonly logprobs: readonly SampledLogprob[]
  readonly usage: AnswerUsage
  readonly timings: Timings
}

/** Answers as OpenAI's responses give them: one message of one text. */
export function responsesRenderer(options: ResponsesOptions): Renderer {
  const stream = new ResponseStream(options)
  return {
    headerDelayMs: 5_000,
    heartbeat: heartbeatText,
    whole: ({ choices: [{ text, logprobs, ...ending }], usage, timings }) =>
      endedResponse(options, { ending, text, logprobs, usage, timings }),
    event: (event) => stream.event(event),
    failure: (error) => stream.failure(error),
  }
}

/** What has been said of one response. */
class ResponseStream {
  readonly #options: ResponsesOptions
  readonly #place: object
  #next = 0
  readonly #texts: string[] = []
  readonly #logprobs: SampledLogprob[] = []

  constructor(options: ResponsesOptions) {
    this.#options = options
    this.#place = { item_id: messageId(options), output_index: 0, content_index: 0 }
  }

  event(event: GenerationEvent): string {
    switch (event.type) {
      case 'queued':
        return `: queued ${event.position}\n\n${this.#begin()}`
      case 'delta': {
        this.#texts.push(event.text)
        this.#logprobs.push(...(event.logprobs ?? []))
        const logprobs = openAiLogprobs(event.logprobs ?? [])
        return this.#say('output_text.delta', { ...this.#place, delta: event.text, logprobs })
      }
      case 'end':
        return this.#end(event)
    }
  }

  failure(error: Parameters<Renderer['failure']>[0]): string {
    const { requestId } = this.#options
    const response = newResponse(this.#options)
    const created = this.#next === 0 ? this.#say('created', { response }) : ''
    return created + failedEvents(error, requestId, this.#next, response)
  }

  #begin(): string {
    const response = newResponse(this.#options)
    const item = messageOf(this.#options, 'in_progress', [])
    return (
      this.#say('created', { response }) +
      this.#say('in_progress', { response }) +
      this.#say('output_item.added', { output_index: 0, item }) +
      this.#say('content_part.added', { ...this.#place, part: textPart('', []) })
    )
  }

  #end({ endings: [ending], usage, timings }: Extract<GenerationEvent, { type: 'end' }>): string {
    const text = this.#texts.join('')
    const said = { ending, text, logprobs: this.#logprobs, usage, timings }
    const response = endedResponse(this.#options, said)
    const part = textPart(text, this.#logprobs)
    return (
      this.#say('output_text.done', { ...this.#place, text, logprobs: part.logprobs }) +
      this.#say('content_part.done', { ...this.#place, part }) +
      this.#say('output_item.done', { output_index: 0, item: response.output[0] }) +
      this.#say(response.status, { response })
    )
  }

  #say(name: string, data: object): string {
    const text = formatResponseEvent(`response.${name}`, this.#next, data)
    this.#next += 1
    return text
  }
}

function endedResponse(options: ResponsesOptions, said: Said) {
  const { ending, text, logprobs, usage, timings } = said
  const status = ending.reason === 'stop' ? 'completed' : 'incomplete'
  return {
    ...newResponse(options),
    status,
    completed_at: status === 'completed' ? options.createdAt + secondsOf(timings) : null,
    incomplete_details: status === 'completed' ? null : { reason: 'max_output_tokens' },
    output: [messageOf(options, status, [textPart(text, logprobs)])],
    usage: {
      input_tokens: usage.prompt_tokens,
      input_tokens_details: {
        cached_tokens: usage.cached_tokens,
        cache_write_tokens: 0,
        image_tokens: usage.image_tokens,
      },
      output_tokens: usage.completion_tokens,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: usage.prompt_tokens + usage.completion_tokens,
    },
    timings: chatTimings(timings, [ending]),
  }
}

function messageOf(options: ResponsesOptions, status: string, content: readonly object[]) {
  return { id: messageId(options), type: 'message', status, role: 'assistant', content }
}

function textPart(text: string, logprobs: readonly SampledLogprob[]) {
  return { type: 'output_text', text, annotations: [], logprobs: openAiLogprobs(logprobs) }
}

function messageId({ requestId }: AnswerFacts): string {
  return `msg_${requestId}`
}

function secondsOf({ total_ms: ms }: Timings): number {
  return Math.round(ms / 1_000)
}
