import { maxToolImages, toolAnswerTokens } from './tool-limits.ts'

/** What a JSON-RPC message is about, without validating it. */
export interface McpMessage {
  readonly method: string | undefined
  /** Only of a request: notifications have none. */
  readonly id: string | number | undefined
  /** Only of a request to call a tool. */
  readonly call: ToolCallExtent | undefined
  /** The request that a notification cancels. */
  readonly cancels: string | number | undefined
}

/** What a tool call may need. */
interface ToolCallExtent {
  readonly images: number
  /** Characters of all arguments other than images. */
  readonly textChars: number
  readonly maxTokens: number
}

/** @param message parsed JSON; what is not understood counts as absent */
export function peekMessage(message: unknown): McpMessage {
  const { method, id, params } = objectOf(message)
  const name = typeof method === 'string' ? method : undefined
  const { arguments: given, name: tool, requestId } = objectOf(params)
  return {
    method: name,
    id: idOf(id),
    call: name === 'tools/call' ? extentOf(tool, objectOf(given)) : undefined,
    cancels: name === 'notifications/cancelled' ? idOf(requestId) : undefined,
  }
}

function extentOf(tool: unknown, given: Readonly<Record<string, unknown>>): ToolCallExtent {
  const { image, images, max_tokens: limit } = given
  const listed = Array.isArray(images) ? Math.min(images.length, maxToolImages) : 0
  const texts = Object.values(given).filter((value) => typeof value === 'string')
  const imageChars = typeof image === 'string' ? image.length : 0
  return {
    images: listed + (typeof image === 'string' ? 1 : 0),
    textChars: texts.reduce((sum, text) => sum + text.length, 0) - imageChars,
    maxTokens: isCount(limit) ? limit : toolAnswerTokens(tool),
  }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) > 0
}

function idOf(value: unknown): string | number | undefined {
  return typeof value === 'string' || typeof value === 'number' ? value : undefined
}

function objectOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}
