import * as z from 'zod'
import type { Part, Turn } from '../../conversation/conversation.ts'
import { atMost } from '../request/at-most.ts'
import { checkTurns, detailOf, linkedImage } from '../doors/check-turns.ts'
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
  refuseUnsupportedIn,
  unsupported,
} from '../doors/unsupported.ts'
import { maxTopLogprobs, maxTurns } from '../limits.ts'
import { type AnswerFormat, answerSchema, schemaFormat } from '../request/response-format.ts'
import { responsesRenderer } from './render.ts'
import type { ResponseEcho } from './response-object.ts'

const textPart = z.object({ type: z.enum(['input_text', 'output_text']), text: z.string() })
const refusalPart = z.object({ type: z.literal('refusal'), refusal: z.string() })
const imagePart = z.object({
  type: z.literal('input_image'),
  image_url: z.string().min(1).nullish(),
  file_id: z.string().nullish(),
  detail: z.enum(['low', 'high', 'auto', 'original']).nullish(),
})

const part = z.discriminatedUnion('type', [textPart, refusalPart, imagePart])

const message = z.object({
  role: z.enum(['user', 'assistant', 'system', 'developer']),
  content: partsField(part, 'input_text'),
})

/** Entries of `metadata`, which is repeated in answers: as many as OpenAI allows. */
const maxMetadata = 16

/** Items other than messages are ignored or refused by their type alone. */
const item = z
  .looseObject({ type: z.string().default('message') })
  .meta({ shownAs: 'ResponseInputItem' })

/** The items that are accepted, for the OpenAPI document. */
export const inputItem = z.union([
  message.extend({ type: z.literal('message').default('message') }),
  z.object({ type: z.literal('reasoning') }),
])

const textFormat = z.discriminatedUnion('type', [
  z.object({ type: z.literal('text') }),
  z.object({ type: z.literal('json_object') }),
  z.object({
    type: z.literal('json_schema'),
    name: z.string().max(64).nullish(),
    schema: answerSchema.nullish(),
    strict: z.boolean().nullish(),
  }),
])

/** `POST /v1/responses`. Unknown fields are ignored. */
export const responsesFields = z.object({
  ...doorFields,
  input: z
    .preprocess(
      (value) => (typeof value === 'string' ? [{ role: 'user', content: value }] : value),
      atMost(maxTurns, `at most ${maxTurns} items are allowed`).pipe(z.array(item).min(1)),
    )
    .meta({ alsoText: true }),
  instructions: z.string().optional(),
  max_output_tokens: tokenLimit,
  metadata: atMost(maxMetadata, `at most ${maxMetadata} entries are allowed`)
    .pipe(z.record(z.string(), z.unknown()))
    .optional(),
  include: z.array(z.string()).optional(),
  text: z.object({ format: textFormat.nullish() }).optional(),
  top_logprobs: z.int().min(0).max(maxTopLogprobs).optional(),
})

/** Asks for log probabilities. */
const logprobsIncluded = 'message.output_text.logprobs'

const ignorable: Ignorable = {
  store: isOneOf(false),
  background: isOneOf(false),
  previous_response_id: never,
  conversation: never,
  prompt: never,
  tools: isEmptyList,
  tool_choice: isOneOf('none', 'auto'),
  truncation: isOneOf('disabled'),
  context_management: isEmptyList,
  include: (value) =>
    Array.isArray(value) &&
    value.every((each) => each === logprobsIncluded || each === 'reasoning.encrypted_content'),
  n: isOneOf(1),
}

/** @throws {ServiceError} `invalid_field`, `unsupported_field`, `too_many_images` */
export function readResponsesRequest(body: unknown): Asking {
  refuseUnsupported(body, ignorable)
  refuseUnsupportedIn(body, 'reasoning', { effort: isKnownEffort })
  const fields = parseDoorFields(responsesFields, body)
  const { instructions, input, include = [] } = fields
  const said = input.flatMap((each, index) => turnsOf(each, `input.${index}`))
  const opening: Turn[] =
    instructions === undefined
      ? []
      : [{ role: 'system', parts: [{ type: 'text', text: instructions }] }]
  const turns = [...opening, ...said]
  checkTurns(turns, 'input')
  const logprobs = include.includes(logprobsIncluded)
  const { reasoning } = body as { readonly reasoning?: { readonly effort?: unknown } | null }
  return {
    asked: {
      turns,
      ...rulesOf({ ...fields, logprobs }),
      format: formatOf(fields.text?.format),
      maxTokens: fields.max_output_tokens,
    },
    stream: fields.stream,
    model: fields.model,
    thoughtWish: wishOfEffort('reasoning.effort', reasoning?.effort),
    renderer: (facts) => responsesRenderer({ ...facts, echo: echoOf(fields) }),
  }
}

function echoOf(fields: z.infer<typeof responsesFields>): ResponseEcho {
  return {
    instructions: fields.instructions ?? null,
    max_output_tokens: fields.max_output_tokens ?? null,
    metadata: fields.metadata ?? {},
    temperature: fields.temperature,
    top_p: fields.top_p,
    top_logprobs: fields.top_logprobs ?? 0,
    text: { format: fields.text?.format ?? { type: 'text' } },
  }
}

/** Without a schema, any object: that is how some clients ask for JSON. */
function formatOf(format: z.infer<typeof textFormat> | null | undefined): AnswerFormat | undefined {
  if (format == null || format.type === 'text') return undefined
  const schema = format.type === 'json_schema' ? format.schema : undefined
  if (schema == null) return { type: 'json_object' }
  return schemaFormat(schema, 'text.format.schema')
}

function turnsOf(sent: z.infer<typeof item>, place: string): Turn[] {
  if (sent.type === 'reasoning') return []
  if (sent.type !== 'message') {
    throw unsupported(
      `${place}.type`,
      `items of the type ${sent.type.slice(0, 40)} are not supported here`,
    )
  }
  const { role, content: parts } = parseDoorFields(message, sent, `${place}.`)
  const own = parts.map((each, at) => partOf(each, `${place}.content.${at}`))
  return [{ role: role === 'developer' ? 'system' : role, parts: own }]
}

function partOf(sent: z.infer<typeof part>, place: string): Part {
  switch (sent.type) {
    case 'input_text':
    case 'output_text':
      return { type: 'text', text: sent.text }
    case 'refusal':
      return { type: 'text', text: sent.refusal }
    case 'input_image': {
      if (sent.file_id != null) throw unsupported(`${place}.file_id`)
      const source = linkedImage(sent.image_url ?? '')
      return { type: 'image', source, detail: detailOf(sent.detail), param: `${place}.image_url` }
    }
  }
}
