import * as z from 'zod'
import { count } from './answers.ts'
import { logprobToken, timings } from './chat-answers.ts'

/** Answers of responses and messages, as `shared/api/responses` and `shared/api/messages` write them. */

export const outputText = z.object({
  type: z.literal('output_text'),
  text: z.string(),
  annotations: z.array(z.unknown()),
  logprobs: z.array(logprobToken),
})

const itemStatus = z.enum(['in_progress', 'completed', 'incomplete'])

export const reasoningText = z.object({ type: z.literal('reasoning_text'), text: z.string() })

/** What a model thought before it answered. */
const outputReasoning = z.object({
  id: z.string(),
  type: z.literal('reasoning'),
  status: itemStatus,
  summary: z.array(z.unknown()),
  content: z.array(reasoningText),
})

const outputMessage = z.object({
  id: z.string(),
  type: z.literal('message'),
  status: itemStatus,
  role: z.literal('assistant'),
  content: z.array(outputText),
})

export const outputItem = z.discriminatedUnion('type', [outputReasoning, outputMessage])

export const responseView = z.object({
  id: z.string(),
  object: z.literal('response'),
  created_at: z.int(),
  completed_at: z.int().nullable(),
  status: z.enum(['in_progress', 'completed', 'incomplete', 'failed']),
  background: z.literal(false),
  error: z.object({ code: z.string(), message: z.string() }).nullable(),
  incomplete_details: z.object({ reason: z.literal('max_output_tokens') }).nullable(),
  instructions: z.string().nullable(),
  max_output_tokens: z.int().nullable(),
  metadata: z.record(z.string(), z.unknown()),
  temperature: z.number(),
  top_p: z.number(),
  top_logprobs: count,
  text: z.object({ format: z.looseObject({ type: z.string() }) }),
  model: z.string(),
  output: z.array(outputItem),
  parallel_tool_calls: z.literal(true),
  previous_response_id: z.null(),
  reasoning: z.object({ effort: z.null(), summary: z.null() }),
  service_tier: z.literal('default'),
  store: z.literal(false),
  tool_choice: z.literal('auto'),
  tools: z.array(z.unknown()),
  truncation: z.literal('disabled'),
  usage: z
    .object({
      input_tokens: count,
      input_tokens_details: z.object({
        cached_tokens: count,
        cache_write_tokens: z.literal(0),
        image_tokens: count,
      }),
      output_tokens: count,
      output_tokens_details: z.object({ reasoning_tokens: count }),
      total_tokens: count,
    })
    .nullable(),
  user: z.null(),
  access_programs: z.null(),
  request_id: z.string(),
  timings: z.exactOptional(timings),
})

export const inputTokens = z.object({
  object: z.literal('response.input_tokens'),
  input_tokens: count,
})

const textBlock = z.object({ type: z.literal('text'), text: z.string(), citations: z.null() })

/** What a model thought before it answered. */
const thinkingBlock = z.object({
  type: z.literal('thinking'),
  thinking: z.string(),
  signature: z.string(),
})

export const contentBlock = z.discriminatedUnion('type', [thinkingBlock, textBlock])

export const messageUsage = z.object({
  input_tokens: count,
  output_tokens: count,
  cache_creation_input_tokens: z.literal(0),
  cache_read_input_tokens: count,
  cache_creation: z.null(),
  inference_geo: z.null(),
  output_tokens_details: z.object({ thinking_tokens: count }).nullable(),
  server_tool_use: z.null(),
  service_tier: z.literal('standard'),
  speed: z.null(),
  image_tokens: count,
})

/** How a message ended; all null in one that has only just begun. */
export const messageEnd = {
  stop_reason: z
    .enum(['end_turn', 'stop_sequence', 'max_tokens', 'model_context_window_exceeded'])
    .nullable(),
  stop_sequence: z.string().nullable(),
  stop_details: z.null(),
  container: z.null(),
}

export const messageView = z.object({
  id: z.string(),
  type: z.literal('message'),
  role: z.literal('assistant'),
  model: z.string(),
  content: z.array(contentBlock),
  ...messageEnd,
  diagnostics: z.null(),
  usage: messageUsage,
  timings: z.exactOptional(timings),
  request_id: z.exactOptional(z.string()),
})

export const messageTokens = z.object({ input_tokens: count })

export const messagesError = z.object({
  type: z.literal('error'),
  error: z.object({
    type: z.string(),
    message: z.string(),
    details: z.object({ error_code: z.string(), param: z.string().nullable() }),
  }),
  request_id: z.string(),
})
