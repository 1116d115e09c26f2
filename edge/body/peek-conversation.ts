import { tryParseJson } from '../../shared/api/wire/parse-json.ts'
import { imageAffinity, imageHeadBytes, textAffinity } from '../../shared/balance/affinity.ts'
import type { Extent } from '../limits/demand.ts'
import { peekedBytes } from './peek-head.ts'

export interface ConversationPeek extends Extent {
  /** The text it begins with. */
  readonly firstText: string | undefined
}

type Counts = {
  -readonly [Name in 'textBytes' | 'images' | 'messages' | 'firstText']: ConversationPeek[Name]
}

/** The types of parts that contain an image, in all APIs. */
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
 * @returns undefined when it cannot be understood
 */
export function peekConversation(json: Uint8Array): ConversationPeek | undefined {
  const body = tryParseJson(json)
  if (typeof body !== 'object' || body === null) return undefined
  const counts: Counts = { textBytes: 0, images: 0, messages: 0, firstText: undefined }
  count(body, '', counts)
  const fields = body as Readonly<Record<string, unknown>>
  const limits = limitFields.map((name) => countOf(fields[name]))
  return {
    ...counts,
    choices: countOf(fields['n']) ?? 1,
    maxTokens: limits.find((limit) => limit !== undefined),
  }
}

function count(value: unknown, field: string, counts: Counts): void {
  if (typeof value === 'string') {
    if (field === 'data' || value.startsWith('data:')) return
    counts.textBytes += encoder.encode(value).byteLength
    if (textFields.has(field)) counts.firstText ??= value
    return
  }
  if (typeof value !== 'object' || value === null) return
  if ('role' in value) counts.messages += 1
  if ('type' in value && imageTypes.has(value.type)) counts.images += 1
  // Items of a list are treated like the list itself.
  const isList = Array.isArray(value)
  for (const [name, each] of Object.entries(value) as [string, unknown][]) {
    count(each, isList ? field : name, counts)
  }
}

function countOf(value: unknown): number | undefined {
  return Number.isSafeInteger(value) && Number(value) > 0 ? Number(value) : undefined
}

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
