import * as z from 'zod'
import { count, nativeTimings } from './answers.ts'

/** Answers of the routes that OpenAI's clients call, as `shared/api/chat/render.ts` and the backend write them. */

const token = z.object({ token: z.string(), bytes: z.array(z.int()), logprob: z.number() })
export const logprobToken = token.extend({ top_logprobs: z.array(token) })
const logprobs = z
  .object({
    content: z.array(logprobToken),
    refusal: z.null(),
  })
  .nullable()
/** What a model thought before it answered, under the two names that clients use. */
const reasoning = {
  reasoning_content: z.exactOptional(z.string()),
  reasoning: z.exactOptional(z.string()),
}
const finishReason = z.enum(['stop', 'length'])

const usage = z.object({
  prompt_tokens: count,
  completion_tokens: count,
  total_tokens: count,
  prompt_tokens_details: z.object({ cached_tokens: count, image_tokens: count }),
  completion_tokens_details: z.object({ reasoning_tokens: count }),
})

export const timings = nativeTimings.extend({ ended_by: z.exactOptional(z.literal('timeout')) })

const head = { id: z.string(), created: z.int(), model: z.string() }

export const chatCompletion = z.object({
  ...head,
  object: z.literal('chat.completion'),
  choices: z.array(
    z.object({
      index: count,
      message: z.object({
        role: z.literal('assistant'),
        content: z.string(),
        ...reasoning,
        refusal: z.null(),
        annotations: z.array(z.unknown()),
      }),
      logprobs,
      finish_reason: finishReason,
    }),
  ),
  usage,
  service_tier: z.literal('default'),
  timings,
  request_id: z.string(),
})

export const chatChunk = z.object({
  ...head,
  object: z.literal('chat.completion.chunk'),
  choices: z.array(
    z.object({
      index: count,
      delta: z.object({
        role: z.exactOptional(z.literal('assistant')),
        content: z.exactOptional(z.string()),
        ...reasoning,
        refusal: z.exactOptional(z.null()),
      }),
      logprobs,
      finish_reason: finishReason.nullable(),
    }),
  ),
  usage: z.exactOptional(usage.nullable()),
  timings: z.exactOptional(timings),
})

export const modelView = z.object({
  id: z.string(),
  object: z.literal('model'),
  created: z.int(),
  owned_by: z.string(),
  type: z.literal('model'),
  display_name: z.string(),
  created_at: z.string(),
  max_input_tokens: count,
  max_tokens: count,
  context_length: count,
  input_modalities: z.array(z.string()),
  max_images: count,
  image_tokens: count,
  /** What `preset: "model"` stands for; null when nothing is recommended. */
  preset: z.record(z.string(), z.number()).nullable(),
  /** Whether it thinks before it answers. */
  reasoning: z.boolean(),
})

export const modelListView = z.object({
  object: z.literal('list'),
  data: z.array(modelView),
  first_id: z.string(),
  last_id: z.string(),
  has_more: z.literal(false),
})
