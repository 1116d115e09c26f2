import type { McpMessage } from '../../shared/api/mcp/peek-message.ts'
import { toolPromptTokens } from '../../shared/api/mcp/tool-limits.ts'
import type { GenerateFields } from '../../shared/api/request/request.ts'
import { maxImages } from '../../shared/api/limits.ts'
import type { Bounds, Demand } from './meter.ts'

/** What a call may use. Tokens are those of texts and answers: how many its images take depends on the model. */
export interface Need {
  readonly tokens: Bounds
  readonly images: Bounds
}

/** @param imageTokens the most that one image takes; what it does not use is given back when the call ends */
export function demandOf({ tokens, images }: Need, imageTokens: number): Demand {
  return { tokens: { ...tokens, most: tokens.most + images.most * imageTokens }, images }
}

/**
 * Tokens reserved for an answer whose request states no `max_tokens`, or is not read here. A key with a token limit
 * gets no more than that for the answer, whatever the backend would allow.
 */
const assumedMaxTokens = 4_000

/** Tokens the chat template adds around the texts. */
const templateTokens = 64
const templateTokensPerMessage = 8

/** The demand of a request whose fields are known. Every token of the tokenizer is at least one byte of text. */
export function knownNeed(fields: GenerateFields, images: number): Need {
  const textBytes = byteLength(fields.prompt) + byteLength(fields.system_prompt ?? '')
  const { n: choices, max_tokens: maxTokens } = fields
  return conversationNeed({ textBytes, images, messages: 0, choices, maxTokens })
}

/** The demand of an upload, which passes through unread: the most images allowed. */
export const uploadNeed: Need = {
  tokens: { least: 1, most: templateTokens + assumedMaxTokens },
  images: { least: 1, most: maxImages },
}

/** How much a conversation contains and requests. */
export interface Extent {
  /** Bytes of all texts, without those of images; an upper estimate. */
  readonly textBytes: number
  readonly images: number
  readonly messages: number
  readonly choices: number
  readonly maxTokens: number | undefined
}

/** What a conversation needs if its size is known, or otherwise the most it may need. */
export function conversationNeed(extent: Extent | undefined): Need {
  if (extent === undefined) return { ...uploadNeed, images: { ...uploadNeed.images, least: 0 } }
  const { textBytes, images, messages, choices, maxTokens = assumedMaxTokens } = extent
  const template = templateTokens + messages * templateTokensPerMessage
  const most = textBytes + template + choices * maxTokens
  return { tokens: { least: 1, most }, images: { least: images, most: images } }
}

/** Nothing but the request itself. */
export const countingNeed: Need = {
  tokens: { least: 0, most: 0 },
  images: { least: 0, most: 0 },
}

/**
 * What a message of the Model Context Protocol needs: nothing unless it calls a tool; an undefined one may be anything.
 */
export function toolNeed(message: McpMessage | undefined): Need {
  if (message === undefined) return conversationNeed(undefined)
  const { call } = message
  if (call === undefined) return countingNeed
  const { images, textChars, maxTokens } = call
  // A UTF-16 code unit is at most three bytes of UTF-8.
  const textBytes = 3 * textChars + toolPromptTokens
  return conversationNeed({ textBytes, images, messages: 1, choices: 1, maxTokens })
}

const encoder = new TextEncoder()

function byteLength(text: string): number {
  return encoder.encode(text).byteLength
}
