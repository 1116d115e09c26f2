import type { ImageDetail } from '../../shared/conversation/conversation.ts'
import type { PatchImage } from '../model/model.ts'
import type { TaskCaller } from './processor-tasks.ts'

export type ContentPart =
  | { readonly type: 'text'; readonly text: string }
  /** The next of the request's images, in order. */
  | {
      readonly type: 'image'
      /** `high` unless given. */
      readonly detail?: ImageDetail
      /** The request field it came in, for errors; `images` unless given. */
      readonly param?: string
    }

export interface Message {
  readonly role: 'system' | 'user' | 'assistant'
  readonly content: readonly ContentPart[]
}

/** A conversation as the model reads it. */
export interface PreparedPrompt {
  /** Placeholder ids already repeated once per image token. */
  readonly promptIds: Int32Array
  readonly images: readonly PatchImage[]
  readonly imageTokens: number
}

/** Token ids to text, holding back the bytes of a character that is not complete yet. One per answer. */
export interface Detokenizer {
  /** @returns the text that became complete; may be empty */
  push(ids: readonly number[]): string
  /** Call once at the end. @returns what was held back, broken characters as U+FFFD */
  flush(): string
}

/** Text and image files to model inputs, and token ids back to text. */
export interface Processor {
  /** Ids that end an answer. */
  readonly stopIds: readonly number[]
  /** First control token id; everything below is text. */
  readonly controlIdsFrom: number
  /**
   * @param images whole image files, one per image part, in order. They are handed over: their memory may move to
   *   another thread, so nobody may use them afterwards
   * @throws {ServiceError} `empty_image`, `invalid_image`, `unsupported_image`, `image_too_large` (the message naming
   *   which one), `cancelled`, `shutting_down`
   */
  prepare(
    messages: readonly Message[],
    images: readonly Uint8Array[],
    caller: TaskCaller,
  ): Promise<PreparedPrompt>
  createDetokenizer(): Detokenizer
  /** One token by itself: broken characters as U+FFFD, a control token by its name. */
  tokenText(id: number): string
  /** Its bytes; a control token has none. */
  tokenBytes(id: number): Uint8Array
  close(): Promise<void>
}
