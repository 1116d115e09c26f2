import { doorTimings } from '../doors/door-timings.ts'
import { openAiLogprobs } from '../doors/openai-logprobs.ts'
import type { AnswerFacts, Renderer, WholeChoice } from '../doors/renderer.ts'
import type { AnswerUsage, Ending, GenerationEvent, SampledLogprob } from '../events.ts'
import { heartbeatText } from '../wire/sse.ts'
import { chatErrors } from './error-form.ts'

interface ChatOptions extends AnswerFacts {
  /** Number of requested answers. */
  readonly choices: number
  /** Whether log probabilities were requested. */
  readonly withLogprobs: boolean
  /** Whether a stream ends with its usage. */
  readonly withUsage: boolean
}

/**
 * Answers in the form of OpenAI's chat completions. Our own additions are inside objects, where clients ignore them.
 */
export function chatRenderer(options: ChatOptions): Renderer {
  const { requestId, model, createdAt, withLogprobs } = options
  const head = { id: `chatcmpl-${requestId}`, created: createdAt, model }
  return {
    headerDelayMs: 5_000,
    heartbeat: heartbeatText,
    whole: ({ choices, usage, timings }) => ({
      ...head,
      object: 'chat.completion',
      choices: choices.map((choice, index) => wholeChoice(choice, index, withLogprobs)),
      usage: chatUsage(usage),
      service_tier: 'default',
      timings: doorTimings(timings, choices),
      request_id: requestId,
    }),
    event: (event) =>
      chunksOf(event, options).map((chunk) =>
        typeof chunk === 'string' ? chunk : `data: ${JSON.stringify({ ...head, ...chunk })}\n\n`,
      ),
    failure: (error) => chatErrors.streamed(error, requestId, ''),
  }
}

function wholeChoice(
  { text, reasoning, logprobs, ...ending }: WholeChoice,
  index: number,
  withLogprobs: boolean,
) {
  return {
    index,
    message: {
      role: 'assistant',
      content: text,
      ...(reasoning !== '' && reasoningFields(reasoning)),
      refusal: null,
      annotations: [],
    },
    logprobs: withLogprobs ? chatLogprobs(logprobs) : null,
    finish_reason: finishReason(ending),
  }
}

/** The chunks of one event, without the fields they all begin with; a string is sent as it is. */
function chunksOf(
  event: GenerationEvent,
  { choices, withUsage }: ChatOptions,
): readonly (string | object)[] {
  const object = 'chat.completion.chunk'
  const rest = withUsage ? { usage: null } : {}
  const chunk = (index: number, delta: object, reason: string | null, logprobs: object | null) => ({
    object,
    choices: [{ index, delta, logprobs, finish_reason: reason }],
    ...rest,
  })
  switch (event.type) {
    case 'queued': {
      const delta = { role: 'assistant', content: '', refusal: null }
      const openings = Array.from({ length: choices }, (_, index) =>
        chunk(index, delta, null, null),
      )
      return [`: queued ${event.position}\n\n`, ...openings]
    }
    case 'reasoning':
      return [chunk(event.index, reasoningFields(event.text), null, null)]
    case 'delta': {
      const logprobs = event.logprobs === undefined ? null : chatLogprobs(event.logprobs)
      return [chunk(event.index, { content: event.text }, null, logprobs)]
    }
    case 'end': {
      const endings = event.endings.map((ending, index) =>
        chunk(index, {}, finishReason(ending), null),
      )
      const timings = doorTimings(event.timings, event.endings)
      const last = { ...endings.at(-1), timings }
      const usage = { object, choices: [], usage: chatUsage(event.usage) }
      return [...endings.slice(0, -1), last, ...(withUsage ? [usage] : []), 'data: [DONE]\n\n']
    }
  }
}

/** OpenAI has no field for thoughts. Others have added two, and each client reads only one of them. */
function reasoningFields(text: string) {
  return { reasoning_content: text, reasoning: text }
}

function finishReason({ reason }: Ending): 'stop' | 'length' {
  return reason === 'stop' ? 'stop' : 'length'
}

function chatUsage(usage: AnswerUsage) {
  return {
    prompt_tokens: usage.prompt_tokens,
    completion_tokens: usage.completion_tokens,
    total_tokens: usage.prompt_tokens + usage.completion_tokens,
    prompt_tokens_details: { cached_tokens: usage.cached_tokens, image_tokens: usage.image_tokens },
    completion_tokens_details: { reasoning_tokens: usage.reasoning_tokens ?? 0 },
  }
}

function chatLogprobs(sampled: readonly SampledLogprob[]) {
  return { content: openAiLogprobs(sampled), refusal: null }
}
