import { chatTimings } from '../chat/render.ts'
import type { AnswerFacts, Renderer } from '../doors/renderer.ts'
import type { AnswerUsage, Ending, GenerationEvent } from '../events.ts'
import { messagesErrors } from './error-form.ts'

/** Answers as Anthropic's messages give them. Events without a name would be dropped. */
export function messagesRenderer(facts: AnswerFacts): Renderer {
  const { requestId } = facts
  return {
    headerDelayMs: 5_000,
    heartbeat: said({ type: 'ping' }),
    whole: ({ choices: [{ text, ...ending }], usage, timings }) => ({
      ...messageOf(facts, [textBlock(text)], usageOf(usage)),
      ...endOf(ending),
      timings: chatTimings(timings, [ending]),
      request_id: requestId,
    }),
    event: (event) => eventText(event, facts),
    failure: (error) => messagesErrors.streamed(error, requestId, ''),
  }
}

function eventText(event: GenerationEvent, facts: AnswerFacts): string {
  switch (event.type) {
    case 'queued': {
      // How much of the prompt needs no reading is known at the end; the usage told there takes the place of this.
      const usage = usageOf({
        prompt_tokens: event.promptTokens,
        image_tokens: event.imageTokens,
        completion_tokens: 0,
        cached_tokens: 0,
      })
      return (
        `: queued ${event.position}\n\n` +
        said({ type: 'message_start', message: messageOf(facts, [], usage) }) +
        said({ type: 'content_block_start', index: 0, content_block: textBlock('') }) +
        said({ type: 'ping' })
      )
    }
    case 'delta': {
      const delta = { type: 'text_delta', text: event.text }
      return said({ type: 'content_block_delta', index: 0, delta })
    }
    case 'end': {
      const [ending] = event.endings
      const delta = { ...endOf(ending), container: null }
      const usage = usageOf(event.usage)
      const timings = chatTimings(event.timings, [ending])
      return (
        said({ type: 'content_block_stop', index: 0 }) +
        said({ type: 'message_delta', delta, usage, timings }) +
        said({ type: 'message_stop' })
      )
    }
  }
}

function said(data: { readonly type: string; readonly [field: string]: unknown }): string {
  return `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`
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
function usageOf(usage: AnswerUsage) {
  return {
    input_tokens: usage.prompt_tokens - usage.cached_tokens,
    output_tokens: usage.completion_tokens,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: usage.cached_tokens,
    cache_creation: null,
    inference_geo: null,
    output_tokens_details: null,
    server_tool_use: null,
    service_tier: 'standard',
    speed: null,
    image_tokens: usage.image_tokens,
  }
}
