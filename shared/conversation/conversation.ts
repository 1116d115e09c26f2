import type { AnswerFormat } from '../api/request/response-format.ts'
import type { Sampling } from '../api/request/sampling-fields.ts'

/** The common form into which the requests of every API are translated. */
export interface Asked {
  readonly turns: readonly Turn[]
  /** The rules by which tokens are drawn; passed on unread. Without a seed, a random one is used. */
  readonly sampling: Sampling
  /** Texts that end the answer and are not part of it. */
  readonly stop: readonly string[]
  /** Number of answers. */
  readonly choices: number
  /** The required form of each answer; any text unless given. */
  readonly format?: AnswerFormat | undefined
  /** If given, log probabilities are reported, each with this many alternatives. */
  readonly topLogprobs: number | undefined
  /** For each answer; the server's own default unless given. */
  readonly maxTokens: number | undefined
  /** The most tokens of a thought before the answer, of a model that thinks; unlimited unless given. */
  readonly thoughtTokens?: number | undefined
  /** Milliseconds after which the answer ends with what it has. */
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

/** Resolution of an image: `low` is up to 256 tokens, `high` as many as the model takes. */
export type ImageDetail = 'low' | 'high'

export type ImageSource =
  /** A whole file. */
  | { readonly kind: 'file'; readonly bytes: Uint8Array }
  /** URL from which it can be fetched. */
  | { readonly kind: 'url'; readonly url: string }
  /** The file as a data URI (RFC 2397), or its base64 alone. */
  | { readonly kind: 'data_uri' | 'base64'; readonly text: string }

/** All images of a conversation, in the order the model sees them. */
export function imagesOf(turns: readonly Turn[]): ImagePart[] {
  return turns.flatMap(({ parts }) => parts.filter((part) => part.type === 'image'))
}
