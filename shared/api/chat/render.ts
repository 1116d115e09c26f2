import type { AnswerFacts, Renderer, WholeChoice } from '../doors/renderer.ts'
import type { Ending, GenerationEvent, SampledLogprob, Timings } from '../events.ts'
import type { AnswerUsage } from '../events.ts'
import { LazyList } from '../wire/json-pieces.ts'
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

/** Answers in the form of OpenAI's chat completions. Our own additions are in objects, where no client minds them. */
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
      timings: chatTimings(timings, choices),
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

/** The chunks of one event, without their common beginning; a text is sent as it is. */
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
      const timings = chatTimings(event.timings, event.endings)
      const last = { ...endings.at(-1), timings }
      const usage = { object, choices: [], usage: chatUsage(event.usage) }
      return [...endings.slice(0, -1), last, ...(withUsage ? [usage] : []), 'data: [DONE]\n\n']
    }
  }
}

/** OpenAI has no field for thoughts. Of the two that others have added, some clients read the one, some the other. */
function reasoningFields(text: string) {
  return { reasoning_content: text, reasoning: text }
}

function finishReason({ reason }: Ending): 'stop' | 'length' {
  return reason === 'stop' ? 'stop' : 'length'
}

/** Includes the one reason for ending that this API has no word for. */
export function chatTimings(timings: Timings, endings: readonly Ending[]) {
  const isLate = endings.some(({ reason }) => reason === 'timeout')
  return isLate ? { ...timings, ended_by: 'timeout' } : timings
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

/** Log probabilities as both of OpenAI's APIs tell them. */
export function openAiLogprobs(sampled: readonly SampledLogprob[]): LazyList<SampledLogprob> {
  return new LazyList(sampled, ({ top, ...token }) => ({
    ...tokenOf(token),
    top_logprobs: top.map(tokenOf),
  }))
}

function tokenOf({ token, logprob, bytes }: Omit<SampledLogprob, 'top'>) {
  return { token, bytes: Array.from(bytes), logprob }
}
