import { doorTimings } from '../doors/door-timings.ts'
import type { AnswerFacts, Renderer, WholeChoice } from '../doors/renderer.ts'
import { saidParts } from '../doors/said-parts.ts'
import type { AnswerUsage, Ending, GenerationEvent } from '../events.ts'
import { messagesErrors } from './error-form.ts'

/** Answers in the form of Anthropic's messages. Its clients drop events without a name. */
export function messagesRenderer(facts: AnswerFacts): Renderer {
  const { requestId } = facts
  const stream = new MessageStream(facts)
  return {
    headerDelayMs: 5_000,
    heartbeat: said({ type: 'ping' }),
    whole: ({ choices: [choice], usage, timings }) => ({
      ...messageOf(facts, blocksOf(choice), usageOf(usage)),
      ...endOf(choice),
      timings: doorTimings(timings, [choice]),
      request_id: requestId,
    }),
    event: (event) => [stream.event(event)],
    failure: (error) => messagesErrors.streamed(error, requestId, ''),
  }
}

type BlockType = 'thinking' | 'text'

/** The part of a message that has been streamed. */
class MessageStream {
  readonly #facts: AnswerFacts
  #index = 0
  #open: BlockType | undefined

  constructor(facts: AnswerFacts) {
    this.#facts = facts
  }

  event(event: GenerationEvent): string {
    switch (event.type) {
      case 'queued':
        return this.#begin(event)
      case 'reasoning':
        return this.#continue('thinking', { type: 'thinking_delta', thinking: event.text })
      case 'delta':
        return this.#continue('text', { type: 'text_delta', text: event.text })
      case 'end':
        return this.#end(event)
    }
  }

  #begin({ position, ...event }: Extract<GenerationEvent, { type: 'queued' }>): string {
    // How many tokens were cached is only known at the end; the usage reported there replaces this one.
    const usage = usageOf({
      prompt_tokens: event.promptTokens,
      image_tokens: event.imageTokens,
      completion_tokens: 0,
      cached_tokens: 0,
    })
    return (
      `: queued ${position}\n\n` +
      said({ type: 'message_start', message: messageOf(this.#facts, [], usage) }) +
      // With a thought, the text is not the first block.
      (this.#facts.reasons ? '' : this.#enter('text')) +
      said({ type: 'ping' })
    )
  }

  #continue(type: BlockType, delta: object): string {
    const entered = this.#enter(type)
    return entered + said({ type: 'content_block_delta', index: this.#index, delta })
  }

  #end(event: Extract<GenerationEvent, { type: 'end' }>): string {
    const [ending] = event.endings
    const delta = { ...endOf(ending), container: null }
    const usage = usageOf(event.usage)
    const timings = doorTimings(event.timings, [ending])
    return (
      (this.#open === undefined ? this.#enter('text') : '') +
      this.#leave() +
      said({ type: 'message_delta', delta, usage, timings }) +
      said({ type: 'message_stop' })
    )
  }

  #enter(type: BlockType): string {
    if (this.#open === type) return ''
    const left = this.#leave()
    this.#open = type
    const block = type === 'text' ? textBlock('') : thinkingBlock('')
    return left + said({ type: 'content_block_start', index: this.#index, content_block: block })
  }

  #leave(): string {
    if (this.#open === undefined) return ''
    this.#open = undefined
    const stop = said({ type: 'content_block_stop', index: this.#index })
    this.#index += 1
    return stop
  }
}

function said(data: { readonly type: string; readonly [field: string]: unknown }): string {
  return `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`
}

function blocksOf(choice: WholeChoice): readonly object[] {
  return saidParts(choice).map(({ kind, text }) =>
    kind === 'thought' ? thinkingBlock(text) : textBlock(text),
  )
}

/** A signature would prove where the thought comes from; nobody checks it here. */
function thinkingBlock(thinking: string) {
  return { type: 'thinking', thinking, signature: '' }
}

function textBlock(text: string) {
  return { type: 'text', text, citations: null }
}

function messageOf({ requestId, model }: AnswerFacts, content: readonly object[], usage: object) {
  return {
    id: `msg_${requestId}`,
    type: 'message',
    role: 'assistant',
    model,
    content,
    stop_reason: null,
    stop_sequence: null,
    stop_details: null,
    container: null,
    diagnostics: null,
    usage,
  }
}

function endOf({ reason, stopText, contextFull }: Ending) {
  const rest = { stop_sequence: stopText ?? null, stop_details: null }
  if (stopText !== undefined) return { stop_reason: 'stop_sequence', ...rest }
  if (reason === 'stop') return { stop_reason: 'end_turn', ...rest }
  const isFull = contextFull === true
  return { stop_reason: isFull ? 'model_context_window_exceeded' : 'max_tokens', ...rest }
}

/** The three counts of input add up to the prompt. */
function usageOf({ reasoning_tokens: reasoning, ...usage }: AnswerUsage) {
  return {
    input_tokens: usage.prompt_tokens - usage.cached_tokens,
    output_tokens: usage.completion_tokens,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: usage.cached_tokens,
    cache_creation: null,
    inference_geo: null,
    output_tokens_details: reasoning === undefined ? null : { thinking_tokens: reasoning },
    server_tool_use: null,
    service_tier: 'standard',
    speed: null,
    image_tokens: usage.image_tokens,
  }
}
