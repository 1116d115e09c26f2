import { tryParseJson } from '../../shared/api/wire/parse-json.ts'
import { imageAffinity, imageHeadBytes, textAffinity } from '../../shared/balance/affinity.ts'
import type { Extent } from '../limits/demand.ts'
import { peekedBytes } from './peek-head.ts'

export interface ConversationPeek extends Extent {
  /** The text at its beginning. */
  readonly firstText: string | undefined
}

type Counts = {
  -readonly [Name in 'textBytes' | 'images' | 'messages' | 'firstText']: ConversationPeek[Name]
} & {
  /** Number of values that may still be visited; negative if there were more. */
  left: number
}

/**
 * Values of a request that are visited, which takes 10 ms: a conversation at all limits of the backend has half as
 * many.
 */
const maxValues = 100_000

/** The types of parts that contain an image, in any of the APIs. */
const imageTypes: ReadonlySet<unknown> = new Set(['image_url', 'input_image', 'image'])

/** The fields that contain the text of a message. */
const textFields: ReadonlySet<string> = new Set([
  'content',
  'text',
  'input',
  'instructions',
  'system',
])

/** The fields that limit the answer, in different APIs. The first one present counts. */
const limitFields = ['max_completion_tokens', 'max_output_tokens', 'max_tokens']

/**
 * Inspects a request without judging it: problems are reported by the backend.
 * @returns undefined when it cannot be understood, or has too many values
 */
export function peekConversation(json: Uint8Array): ConversationPeek | undefined {
  const body = tryParseJson(json)
  if (typeof body !== 'object' || body === null) return undefined
  const counted = { textBytes: 0, images: 0, messages: 0, firstText: undefined }
  const { left, ...counts } = count(body, '', { ...counted, left: maxValues })
  if (left < 0) return undefined
  const fields = body as Readonly<Record<string, unknown>>
  const limits = limitFields.map((name) => countOf(fields[name]))
  return {
    ...counts,
    choices: countOf(fields['n']) ?? 1,
    maxTokens: limits.find((limit) => limit !== undefined),
  }
}

function count(value: unknown, field: string, counts: Counts): Counts {
  counts.left -= 1
  if (typeof value === 'string') countText(value, field, counts)
  if (typeof value !== 'object' || value === null || counts.left < 0) return counts
  if (Array.isArray(value)) {
    // Items of a list are treated like the list itself.
    for (const each of value) count(each, field, counts)
    return counts
  }
  if ('role' in value) counts.messages += 1
  if ('type' in value && imageTypes.has(value.type)) counts.images += 1
  for (const name of Object.keys(value)) count(value[name as keyof typeof value], name, counts)
  return counts
}

function countText(text: string, field: string, counts: Counts): void {
  if (field === 'data' || text.startsWith('data:')) return
  counts.textBytes += utf8Bytes(text)
  if (textFields.has(field)) counts.firstText ??= text
}

/** For short texts, of which a body may have a hundred thousand, an encoder takes many times as long. */
function utf8Bytes(text: string): number {
  if (text.length > shortChars) return encoder.encode(text).byteLength
  let bytes = 0
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    const isHalf = code >= 0xd800 && code <= 0xdfff
    bytes += code < 0x80 ? 1 : code < 0x800 || isHalf ? 2 : 3
  }
  return bytes
}

function countOf(value: unknown): number | undefined {
  return Number.isSafeInteger(value) && Number(value) > 0 ? Number(value) : undefined
}

const shortChars = 256
const encoder = new TextEncoder()

/** What precedes the base64 of an image, in data URIs and on its own. */
const imageStarts = [';base64,', '"data":"', '"data": "']

/** Characters of base64 that hold the inspected bytes of an image. */
const headChars = Math.ceil(imageHeadBytes / 3) * 4

/**
 * What questions about one image, or conversations with the same beginning, have in common. An image is identified as
 * in an upload, so that both go to the same backend.
 * @param head the beginning of the body
 */
export function conversationAffinity(
  head: Uint8Array,
  peek: ConversationPeek | undefined,
): string | undefined {
  const text = latin1.decode(head.subarray(0, peekedBytes))
  const start = imageStarts
    .map((mark) => ({ at: text.indexOf(mark), mark }))
    .find(({ at }) => at >= 0)
  if (start !== undefined) {
    const from = start.at + start.mark.length
    const bytes = decoded(text.slice(from, from + headChars))
    if (bytes !== undefined) return imageAffinity(bytes)
  }
  return peek?.firstText === undefined ? undefined : textAffinity({ prompt: peek.firstText })
}

const latin1 = new TextDecoder('latin1')

/** Decodes base64 up to its end; undefined when it is not base64. */
function decoded(text: string): Uint8Array | undefined {
  const [data = ''] = /^[A-Za-z0-9+/]*/.exec(text) ?? []
  const whole = data.length < headChars ? data.length - (data.length % 4) : headChars
  if (whole === 0) return undefined
  return Uint8Array.from(atob(data.slice(0, whole)), (character) => character.charCodeAt(0))
}
