import { createDescriber, type DescribeRequest } from '../../../backend/describe.ts'
import type { Engine } from '../../../backend/engine/job.ts'
import type { ContentPart, Processor } from '../../../backend/processor/processor.ts'
import type { GenerationEvent } from '../../../shared/api/events.ts'
import type { AnswerFormat } from '../../../shared/api/request/response-format.ts'
import { createTestFormats } from '../backends/test-formats.ts'
import type { AnswerSource, ChatBody, StandInEvent } from './wire.ts'

/** Answers of the real little model, so that a description through a stand-in is as right as without one. */
export function nanoAnswer(processor: Processor, engine: Engine): AnswerSource {
  const { describe } = createDescriber({
    processor,
    engine,
    formats: createTestFormats(),
    now: () => performance.now(),
    randomSeed: () => Math.floor(Math.random() * 2 ** 32),
    defaultMaxTokens: 4_000,
    reasons: false,
  })
  return async function* answer(body, signal): AsyncGenerator<StandInEvent> {
    const tokens = Array.from({ length: body.n }, () => 0)
    for await (const event of describe(requestOf(body), signal)) {
      if (event.type === 'delta') yield textOf(event, tokens)
      if (event.type === 'end') yield endOf(event)
    }
  }
}

function requestOf(body: ChatBody): DescribeRequest {
  const images: Uint8Array[] = []
  const messages = body.messages.map(({ role, content }) => ({
    role,
    content:
      typeof content === 'string'
        ? [{ type: 'text', text: content } as const]
        : content.map((part): ContentPart => {
            if (part.type === 'text') return part
            images.push(Buffer.from(part.image_url.url.split(',')[1]!, 'base64'))
            return { type: 'image' }
          }),
  }))
  return {
    tenant: body.cache_salt ?? 'nobody',
    timeoutMs: 300_000,
    messages,
    images,
    sampling: {
      temperature: body.temperature,
      topP: body.top_p,
      topK: Math.max(0, body.top_k ?? 0),
      minP: body.min_p,
      repetitionPenalty: body.repetition_penalty ?? body.repeat_penalty,
      presencePenalty: body.presence_penalty,
      frequencyPenalty: body.frequency_penalty,
      seed: body.seed,
      logitBias: Object.entries(body.logit_bias ?? {}).map(([id, bias]) => [Number(id), bias]),
    },
    stop: body.stop ?? [],
    choices: body.n,
    topLogprobs: body.logprobs === true ? (body.top_logprobs ?? 0) : undefined,
    maxTokens: body.max_tokens,
    format: formatOf(body.response_format),
    priority: 'interactive',
  }
}

function formatOf(format: ChatBody['response_format']): AnswerFormat | undefined {
  if (format === undefined) return undefined
  if (format.type === 'json_object') return { type: 'json_object' }
  const schema = JSON.stringify(format.json_schema?.schema)
  return { type: 'json_schema', schema, field: 'response_format' }
}

function textOf(
  { index: choice, text, logprobs }: Extract<GenerationEvent, { type: 'delta' }>,
  tokens: number[],
): StandInEvent {
  // Near enough for counts in between; the end has the true ones.
  tokens[choice]! += logprobs?.length ?? 1
  const named = logprobs?.map(({ id, logprob, top }) => ({ id, logprob, top }))
  return {
    type: 'text',
    choice,
    text,
    tokens: tokens[choice]!,
    ...(named !== undefined && { logprobs: named }),
  }
}

function endOf({ endings, usage }: Extract<GenerationEvent, { type: 'end' }>): StandInEvent {
  return {
    type: 'end',
    endings,
    promptTokens: usage.prompt_tokens,
    cachedTokens: usage.cached_tokens,
    completionTokens: usage.completion_tokens,
  }
}
