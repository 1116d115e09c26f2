import * as z from 'zod'
import type { Part, Turn } from '../../conversation/conversation.ts'
import { atMost } from '../request/at-most.ts'
import { checkPartCount, checkTurns, detailOf, linkedImage } from '../doors/check-turns.ts'
import { doorFields, rulesOf, tokenLimit } from '../doors/generation-fields.ts'
import { parseDoorFields } from '../doors/parse-door-fields.ts'
import { partsField } from '../doors/parts-field.ts'
import type { Asking } from '../doors/renderer.ts'
import { isKnownEffort, wishOfEffort } from '../doors/thought-wish.ts'
import {
  type Ignorable,
  isEmptyList,
  isOneOf,
  never,
  refuseUnsupported,
  unsupported,
} from '../doors/unsupported.ts'
import { maxTurns } from '../limits.ts'
import { formatOf, responseFormat } from '../request/response-format.ts'
import { topLogprobsNeedLogprobs } from '../request/sampling-fields.ts'
import { chatRenderer } from './render.ts'

const textPart = z.object({ type: z.literal('text'), text: z.string() })
/** A refusal by an assistant in place of an answer. */
const refusalPart = z.object({ type: z.literal('refusal'), refusal: z.string() })
const imagePart = z.object({
  type: z.literal('image_url'),
  image_url: z
    .preprocess(
      (value) => (typeof value === 'string' ? { url: value } : value),
      z.object({ url: z.string().min(1), detail: z.enum(['low', 'high', 'auto']).nullish() }),
    )
    .meta({ alsoText: true }),
})

const part = z.discriminatedUnion('type', [textPart, refusalPart, imagePart])

const message = z.object({
  role: z.enum(['system', 'developer', 'user', 'assistant', 'tool', 'function']),
  /** Null in answers that called a tool. */
  content: partsField(part, 'text').nullish(),
  tool_calls: z.unknown().optional(),
  function_call: z.unknown().optional(),
  audio: z.unknown().optional(),
})

/** A schema that says nothing, as some clients send for any JSON, asks for an object. */
function withoutSchema(format: unknown): unknown {
  const { type, json_schema: named } = (format ?? {}) as Partial<z.infer<typeof namedSchema>>
  const isSilent = type === 'json_schema' && (named === undefined || named?.schema == null)
  return isSilent ? { type: 'json_object' } : format
}

const namedSchema = z.object({ type: z.string(), json_schema: z.object({ schema: z.unknown() }) })

/** `POST /v1/chat/completions`. Unknown fields are ignored. */
export const chatFields = z
  .object({
    ...doorFields,
    messages: atMost(maxTurns, `at most ${maxTurns} messages are allowed`).pipe(
      z.array(message).min(1),
    ),
    max_tokens: tokenLimit,
    max_completion_tokens: tokenLimit,
    stream_options: z.object({ include_usage: z.boolean().nullish() }).optional(),
    response_format: z.preprocess(withoutSchema, responseFormat).optional(),
  })
  .check(topLogprobsNeedLogprobs)

const ignorable: Ignorable = {
  tools: isEmptyList,
  functions: isEmptyList,
  tool_choice: isOneOf('none', 'auto'),
  function_call: isOneOf('none', 'auto'),
  audio: never,
  store: isOneOf(false),
  prediction: never,
  web_search_options: never,
  moderation: never,
  modalities: (value) => Array.isArray(value) && value.every((each) => each === 'text'),
  reasoning_effort: isKnownEffort,
}

/** @throws {ServiceError} `invalid_field`, `unsupported_field`, `too_many_images` */
export function readChatRequest(body: unknown): Asking {
  refuseUnsupported(body, ignorable)
  checkPartCount(body, 'messages')
  const fields = parseDoorFields(chatFields, body)
  const turns = fields.messages.map(turnOf)
  checkTurns(turns, 'messages')
  const { n: choices, logprobs: withLogprobs } = fields
  const withUsage = fields.stream_options?.include_usage === true
  const { reasoning_effort: effort } = body as { readonly reasoning_effort?: unknown }
  return {
    asked: {
      turns,
      ...rulesOf(fields),
      format: formatOf(fields.response_format),
      maxTokens: fields.max_completion_tokens ?? fields.max_tokens,
    },
    stream: fields.stream,
    model: fields.model,
    thoughtWish: wishOfEffort('reasoning_effort', effort),
    renderer: (facts) => chatRenderer({ ...facts, choices, withLogprobs, withUsage }),
  }
}

function turnOf(sent: z.infer<typeof message>, index: number): Turn {
  const place = `messages.${index}`
  const { role } = sent
  if (role === 'tool' || role === 'function') throw unsupported(`${place}.role`)
  refuseUnsupported(
    sent,
    { tool_calls: isEmptyList, function_call: never, audio: never },
    `${place}.`,
  )
  const parts = (sent.content ?? []).map((each, at) => partOf(each, `${place}.content.${at}`))
  return { role: role === 'developer' ? 'system' : role, parts }
}

function partOf(sent: z.infer<typeof part>, place: string): Part {
  switch (sent.type) {
    case 'text':
      return { type: 'text', text: sent.text }
    case 'refusal':
      return { type: 'text', text: sent.refusal }
    case 'image_url': {
      const { url, detail } = sent.image_url
      const param = `${place}.image_url`
      return { type: 'image', source: linkedImage(url), detail: detailOf(detail), param }
    }
  }
}
