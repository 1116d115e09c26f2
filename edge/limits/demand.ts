import type { McpMessage } from '../../shared/api/mcp/peek-message.ts'
import { toolPromptTokens } from '../../shared/api/mcp/tool-limits.ts'
import type { GenerateFields } from '../../shared/api/request.ts'
import { maxImages } from '../../shared/api/limits.ts'
import type { Demand } from './meter.ts'

/**
 * Tokens reserved for an answer whose request states no `max_tokens`, or is not read here. A key with a token limit
 * gets no more for it, whatever the backend would allow.
 */
const assumedMaxTokens = 4_000

/**
 * Tokens of the largest image any of the models takes: a limit of 16,384 patches (docs/models.md) is 4,096 tokens, and
 * holds before the image is padded to whole tokens, so that long thin ones become up to 4,464 (1,338 with 4,096 patches).
 * What an image does not use is given back when its call ends.
 */
const maxTokensPerImage = 4_464

/** Tokens the chat template adds around the texts. */
const templateTokens = 64
const templateTokensPerMessage = 8

/** The demand of a request whose fields are known. Every token of the tokenizer is at least one byte of text. */
export function knownDemand(fields: GenerateFields, images: number): Demand {
  const textBytes = byteLength(fields.prompt) + byteLength(fields.system_prompt ?? '')
  const answers = fields.n * (fields.max_tokens ?? assumedMaxTokens)
  const most = textBytes + templateTokens + images * maxTokensPerImage + answers
  return { tokens: { least: 1, most }, images: { least: images, most: images } }
}

/** The demand of an upload, which passes through unread: the most images allowed. */
export const uploadDemand: Demand = {
  tokens: { least: 1, most: maxImages * maxTokensPerImage + templateTokens + assumedMaxTokens },
  images: { least: 1, most: maxImages },
}

/** How much a conversation holds and asks for, as far as it can be seen from outside. */
export interface Extent {
  /** Bytes of all texts, those of images left out; more rather than less. */
  readonly textBytes: number
  readonly images: number
  readonly messages: number
  readonly choices: number
  readonly maxTokens: number | undefined
}

/** What a conversation needs as far as it could be looked over, or may need where it could not. */
export function conversationDemand(extent: Extent | undefined): Demand {
  if (extent === undefined) return { ...uploadDemand, images: { ...uploadDemand.images, least: 0 } }
  const { textBytes, images, messages, choices, maxTokens = assumedMaxTokens } = extent
  const template = templateTokens + messages * templateTokensPerMessage
  const most = textBytes + template + images * maxTokensPerImage + choices * maxTokens
  return { tokens: { least: 1, most }, images: { least: images, most: images } }
}

/** Nothing but the request itself. */
export const countingDemand: Demand = {
  tokens: { least: 0, most: 0 },
  images: { least: 0, most: 0 },
}

/** What a message of the Model Context Protocol needs: nothing unless it calls a tool; undefined may be anything. */
export function toolDemand(message: McpMessage | undefined): Demand {
  if (message === undefined) return conversationDemand(undefined)
  const { call } = message
  if (call === undefined) return countingDemand
  const { images, textChars, maxTokens } = call
  // A UTF-16 code unit is at most three bytes of UTF-8.
  const textBytes = 3 * textChars + toolPromptTokens
  return conversationDemand({ textBytes, images, messages: 1, choices: 1, maxTokens })
}

const encoder = new TextEncoder()

function byteLength(text: string): number {
  return encoder.encode(text).byteLength
}
