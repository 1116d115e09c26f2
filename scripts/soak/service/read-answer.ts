import * as z from 'zod'
import type { Usage } from '../../../shared/api/events.ts'
import { parseEvents } from '../../../shared/api/wire/sse.ts'
import type { AnswerKind } from './call.ts'

/** A complete answer, whatever its format was. */
export interface SoakAnswer {
  /** Of each choice. */
  readonly texts: readonly string[]
  readonly usage: Usage
}

const count = z.int().min(0)
const nativeUsage = z.object({
  prompt_tokens: count,
  image_tokens: count,
  completion_tokens: count,
})
const chatUsage = nativeUsage.omit({ image_tokens: true }).extend({
  prompt_tokens_details: z.object({ image_tokens: count }),
})
const messagesUsage = z.object({
  input_tokens: count,
  cache_read_input_tokens: count,
  output_tokens: count,
  image_tokens: count,
})

const nativeAnswer = z.object({
  output: z.string(),
  outputs: z.array(z.object({ output: z.string() })).optional(),
  usage: nativeUsage,
})
const chatAnswer = z.object({
  choices: z.array(z.object({ message: z.object({ content: z.string() }) })),
  usage: chatUsage,
})
/** A text, or the thought before it. */
const messagesBlock = z.discriminatedUnion('type', [
  z.object({ type: z.literal('text'), text: z.string() }),
  z.object({ type: z.literal('thinking'), thinking: z.string() }),
])
const messagesDelta = z.discriminatedUnion('type', [
  z.object({ type: z.literal('text_delta'), text: z.string() }),
  z.object({ type: z.literal('thinking_delta'), thinking: z.string() }),
])
const messagesAnswer = z.object({
  content: z.array(messagesBlock),
  usage: messagesUsage,
})

/** @throws when it is not an answer in that format */
export function readWhole(kind: AnswerKind, body: unknown): SoakAnswer {
  switch (kind) {
    case 'native': {
      const { output, outputs, usage } = nativeAnswer.parse(body)
      return { texts: outputs?.map((one) => one.output) ?? [output], usage }
    }
    case 'chat': {
      const { choices, usage } = chatAnswer.parse(body)
      return { texts: choices.map(({ message }) => message.content), usage: ofChat(usage) }
    }
    case 'messages': {
      const { content, usage } = messagesAnswer.parse(body)
      return { texts: [content.map(saidIn).join('')], usage: ofMessages(usage) }
    }
  }
}

function saidIn(block: z.infer<typeof messagesBlock> | z.infer<typeof messagesDelta>): string {
  return 'text' in block ? block.text : block.thinking
}

function ofChat(usage: z.infer<typeof chatUsage>): Usage {
  const { prompt_tokens, completion_tokens, prompt_tokens_details } = usage
  return { prompt_tokens, completion_tokens, image_tokens: prompt_tokens_details.image_tokens }
}

function ofMessages(usage: z.infer<typeof messagesUsage>): Usage {
  return {
    prompt_tokens: usage.input_tokens + usage.cache_read_input_tokens,
    image_tokens: usage.image_tokens,
    completion_tokens: usage.output_tokens,
  }
}

/** Reads the relevant parts of one event. */
interface StreamPart {
  readonly index?: number | undefined
  readonly text?: string | undefined
  readonly usage?: Usage | undefined
  readonly error?: string | undefined
}

const errorOf = (data: unknown) =>
  z
    .object({ error: z.object({ code: z.string().optional(), type: z.string().optional() }) })
    .parse(data).error

const readers: Record<AnswerKind, (event: string, data: unknown) => StreamPart> = {
  native(event, data) {
    if (event === 'delta')
      return z.object({ index: count.optional(), text: z.string() }).parse(data)
    if (event === 'end') return z.object({ usage: nativeUsage }).parse(data)
    if (event === 'error') return { error: errorOf(data).code ?? 'error' }
    return {}
  },
  chat(_event, data) {
    const failure = errorBody.safeParse(data)
    if (failure.success) return { error: errorOf(data).code ?? 'error' }
    const { choices, usage } = chatChunk.parse(data)
    const [choice] = choices
    const text = choice?.delta.content ?? undefined
    return { index: choice?.index, text, usage: usage ? ofChat(usage) : undefined }
  },
  messages(event, data) {
    if (event === 'content_block_delta') {
      return { text: saidIn(z.object({ delta: messagesDelta }).parse(data).delta) }
    }
    if (event === 'message_delta') {
      return { usage: ofMessages(z.object({ usage: messagesUsage }).parse(data).usage) }
    }
    if (event === 'error') return { error: errorOf(data).type ?? 'error' }
    return {}
  },
}

const errorBody = z.object({ error: z.object({}) })
const chatChunk = z.object({
  choices: z.array(z.object({ index: count, delta: z.object({ content: z.string().nullish() }) })),
  usage: chatUsage.nullish(),
})

/** @throws when it breaks off, ends with an error or is not a stream in that format */
export async function readStream(
  kind: AnswerKind,
  body: AsyncIterable<Uint8Array>,
): Promise<SoakAnswer> {
  const texts: string[] = []
  let usage: Usage | undefined
  for await (const { event, data } of parseEvents(body)) {
    if (data === '[DONE]') continue
    const part = readers[kind](event, JSON.parse(data))
    if (part.error !== undefined) throw new Error(`stream ended with ${part.error}`)
    const index = part.index ?? 0
    if (part.text !== undefined) texts[index] = (texts[index] ?? '') + part.text
    usage = part.usage ?? usage
  }
  if (usage === undefined) throw new Error('stream broke off')
  return { texts, usage }
}
