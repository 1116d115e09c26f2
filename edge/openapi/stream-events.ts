import * as z from 'zod'
import { count, errorView } from './answers.ts'
import { logprobToken, timings } from './chat-answers.ts'
import {
  contentBlock,
  messageEnd,
  messageUsage,
  messageView,
  outputItem,
  outputText,
  reasoningText,
  responseView,
} from './other-answers.ts'

/** Events of streams of responses and messages, as `shared/api/responses` and `shared/api/messages` write them. */

/** Their numbers rise from 0. */
const numbered = { sequence_number: count }

/** What a part of an answer belongs to. */
const place = { item_id: z.string(), output_index: count, content_index: count }

export const responseStateEvent = z.object({
  type: z.enum([
    'response.created',
    'response.in_progress',
    'response.completed',
    'response.incomplete',
    'response.failed',
  ]),
  ...numbered,
  response: responseView,
})

export const responseItemEvent = z.object({
  type: z.enum(['response.output_item.added', 'response.output_item.done']),
  ...numbered,
  output_index: count,
  item: outputItem,
})

export const responsePartEvent = z.object({
  type: z.enum(['response.content_part.added', 'response.content_part.done']),
  ...numbered,
  ...place,
  part: z.discriminatedUnion('type', [reasoningText, outputText]),
})

export const responseTextDelta = z.object({
  type: z.literal('response.output_text.delta'),
  ...numbered,
  ...place,
  delta: z.string(),
  logprobs: z.array(logprobToken),
})

export const responseTextDone = z.object({
  type: z.literal('response.output_text.done'),
  ...numbered,
  ...place,
  text: z.string(),
  logprobs: z.array(logprobToken),
})

export const responseReasoningDelta = z.object({
  type: z.literal('response.reasoning_text.delta'),
  ...numbered,
  ...place,
  delta: z.string(),
})

export const responseReasoningDone = z.object({
  type: z.literal('response.reasoning_text.done'),
  ...numbered,
  ...place,
  text: z.string(),
})

export const responseErrorEvent = z.object({
  type: z.literal('error'),
  ...numbered,
  code: z.string(),
  message: z.string(),
  param: z.string(),
  ...errorView.shape,
})

export const messageStart = z.object({ type: z.literal('message_start'), message: messageView })

export const contentBlockStart = z.object({
  type: z.literal('content_block_start'),
  index: count,
  content_block: contentBlock,
})

export const contentBlockDelta = z.object({
  type: z.literal('content_block_delta'),
  index: count,
  delta: z.discriminatedUnion('type', [
    z.object({ type: z.literal('thinking_delta'), thinking: z.string() }),
    z.object({ type: z.literal('text_delta'), text: z.string() }),
  ]),
})

export const contentBlockStop = z.object({ type: z.literal('content_block_stop'), index: count })

export const messageDelta = z.object({
  type: z.literal('message_delta'),
  delta: z.object(messageEnd),
  usage: messageUsage,
  timings,
})

export const messageStop = z.object({ type: z.literal('message_stop') })

/** Says only that the answer is still being made. */
export const messagePing = z.object({ type: z.literal('ping') })
