import type { AnswerFormat } from '../api/response-format.ts'
import type { Sampling } from '../api/sampling-fields.ts'

/** What every public way of asking is translated to. */
export interface Asked {
  readonly turns: readonly Turn[]
  /** The rules by which tokens are drawn; handed on unread. Without a seed, one is made up. */
  readonly sampling: Sampling
  /** Texts that end the answer and are not part of it. */
  readonly stop: readonly string[]
  /** Answers to give. */
  readonly choices: number
  /** What the text of each answer has to be; any text unless given. */
  readonly format?: AnswerFormat | undefined
  /** When given, log probabilities are told, with so many alternatives each. */
  readonly topLogprobs: number | undefined
  /** Of each answer; the server's own default unless given. */
  readonly maxTokens: number | undefined
  /** Milliseconds; then the answer ends with what it has. */
  readonly timeoutMs: number | undefined
  readonly priority: 'interactive' | 'batch'
}

export interface Turn {
  readonly role: Role
  readonly parts: readonly Part[]
}

type Role = 'system' | 'user' | 'assistant'

export type Part = TextPart | ImagePart

interface TextPart {
  readonly type: 'text'
  readonly text: string
}

export interface ImagePart {
  readonly type: 'image'
  readonly source: ImageSource
  readonly detail: ImageDetail
  /** The request field it came in, for errors. */
  readonly param: string
}

/** How closely an image is looked at: `low` at up to 256 tokens, `high` at as many as the model takes. */
export type ImageDetail = 'low' | 'high'

export type ImageSource =
  /** A whole file. */
  | { readonly kind: 'file'; readonly bytes: Uint8Array }
  /** Where it can be fetched. */
  | { readonly kind: 'url'; readonly url: string }
  /** The file as a data URI (RFC 2397), or its base64 alone. */
  | { readonly kind: 'data_uri' | 'base64'; readonly text: string }

/** All images of a conversation, in the order the model sees them. */
export function imagesOf(turns: readonly Turn[]): ImagePart[] {
  return turns.flatMap(({ parts }) => parts.filter((part) => part.type === 'image'))
}
