import * as z from 'zod'
import type { Part, Turn } from '../../conversation/conversation.ts'
import { atMost } from '../request/at-most.ts'
import { checkPartCount, checkTurns, linkedImage } from '../doors/check-turns.ts'
import { doorFields, rulesOf, tokenLimit } from '../doors/generation-fields.ts'
import { parseDoorFields } from '../doors/parse-door-fields.ts'
import { partsField } from '../doors/parts-field.ts'
import type { Asking } from '../doors/renderer.ts'
import { isKnownThinking, wishOfThinking } from '../doors/thought-wish.ts'
import {
  type Ignorable,
  isEmptyList,
  isOneOf,
  never,
  refuseUnsupported,
  refuseUnsupportedIn,
} from '../doors/unsupported.ts'
import { maxTurns } from '../limits.ts'
import { answerSchema, schemaFormat } from '../request/response-format.ts'
import { messagesRenderer } from './render.ts'

const textBlock = z.object({ type: z.literal('text'), text: z.string() })
const imageBlock = z.object({
  type: z.literal('image'),
  source: z.discriminatedUnion('type', [
    z.object({ type: z.literal('base64'), data: z.string().min(1) }),
    z.object({ type: z.literal('url'), url: z.string().min(1) }),
  ]),
})
/** What a model thought before an earlier answer, which is not needed to continue. */
const thoughtBlock = z.object({ type: z.enum(['thinking', 'redacted_thinking']) })

const block = z.discriminatedUnion('type', [textBlock, imageBlock, thoughtBlock])

const blocks = partsField(block, 'text', 'blocks')

const message = z.object({ role: z.enum(['user', 'assistant', 'system']), content: blocks })

const schemaField = 'output_config.format.schema'
const outputFormat = z.object({ type: z.literal('json_schema'), schema: answerSchema })

const { n: _n, stop, logprobs: _logprobs, top_logprobs: _top, ...shared } = doorFields

/** `POST /v1/messages/count_tokens`. Unknown fields are ignored. */
export const countFields = z.object({
  ...shared,
  max_tokens: tokenLimit,
  messages: atMost(maxTurns, `at most ${maxTurns} messages are allowed`).pipe(
    z.array(message).min(1),
  ),
  system: blocks.optional(),
  stop_sequences: stop,
  output_config: z.object({ format: outputFormat.nullish() }).optional(),
  thinking: z.object({ budget_tokens: z.int().min(1).nullish() }).nullish(),
})

/** `POST /v1/messages`: the same, and how long the answer may be. */
export const messagesFields = countFields.extend({ max_tokens: z.int().min(1) })

function typeOf(value: unknown): unknown {
  return (value as { readonly type?: unknown } | null | undefined)?.type
}

const ignorable: Ignorable = {
  tools: isEmptyList,
  tool_choice: (value) => isOneOf('none', 'auto')(typeOf(value)),
  thinking: (value) => isKnownThinking(typeOf(value)),
  container: never,
  mcp_servers: isEmptyList,
  context_management: never,
  output_format: never,
}

/** @throws {ServiceError} `invalid_field`, `unsupported_field`, `too_many_images` */
export function readMessagesRequest(body: unknown): Asking {
  return asking(body, messagesFields)
}

/** A conversation whose tokens are to be counted. @throws {ServiceError} as `readMessagesRequest` */
export function readCountRequest(body: unknown): Asking {
  return asking(body, countFields)
}

function asking(body: unknown, schema: typeof countFields | typeof messagesFields): Asking {
  refuseUnsupported(body, ignorable)
  refuseUnsupportedIn(body, 'transformations', { oversized_image: isOneOf('downsize') })
  checkPartCount(body, 'messages')
  const fields = parseDoorFields(schema, body)
  const { system } = fields
  const { thinking } = body as { readonly thinking?: unknown }
  const thoughtTokens = fields.thinking?.budget_tokens ?? undefined
  const wanted = fields.output_config?.format?.schema
  const opening: Turn[] =
    system === undefined ? [] : [{ role: 'system', parts: partsOf(system, 'system') }]
  const said = fields.messages.map(({ role, content }, index): Turn => ({
    role,
    parts: partsOf(content, `messages.${index}.content`),
  }))
  const turns = [...opening, ...said]
  checkTurns(turns, 'messages')
  return {
    asked: {
      turns,
      ...rulesOf({ ...fields, stop: fields.stop_sequences, n: 1, logprobs: false }),
      format: wanted === undefined ? undefined : schemaFormat(wanted, schemaField),
      maxTokens: fields.max_tokens,
      ...(thoughtTokens !== undefined && { thoughtTokens }),
    },
    stream: fields.stream,
    model: fields.model,
    thoughtWish: wishOfThinking(typeOf(thinking)),
    renderer: messagesRenderer,
  }
}

function partsOf(sent: z.infer<typeof blocks>, place: string): Part[] {
  return sent.flatMap((each, at) => partOf(each, `${place}.${at}`) ?? [])
}

/** @returns undefined for what is left out */
function partOf(sent: z.infer<typeof block>, place: string): Part | undefined {
  switch (sent.type) {
    case 'text':
      return { type: 'text', text: sent.text }
    case 'image':
      return imageOf(sent.source, `${place}.source`)
    case 'thinking':
    case 'redacted_thinking':
      return undefined
  }
}

function imageOf(source: z.infer<typeof imageBlock>['source'], place: string): Part {
  const image = { type: 'image', detail: 'high' } as const
  switch (source.type) {
    case 'base64': {
      const param = `${place}.data`
      return { ...image, source: { kind: 'base64', text: source.data }, param }
    }
    case 'url':
      return { ...image, source: linkedImage(source.url), param: `${place}.url` }
  }
}
