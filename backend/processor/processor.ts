import type { ImageDetail } from '../../shared/conversation/conversation.ts'
import type { PatchImage } from '../model/model.ts'
import type { TaskCaller } from './tasks/processor-tasks.ts'

export type ContentPart =
  | { readonly type: 'text'; readonly text: string }
  /** The next image of the request, in order. */
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

/** A conversation as model input. */
export interface PreparedPrompt {
  /** Placeholder ids are already repeated, once per image token. */
  readonly promptIds: Int32Array
  readonly images: readonly PatchImage[]
  readonly imageTokens: number
}

/** Turns token ids into text and holds back the bytes of an incomplete character. One per answer. */
export interface Detokenizer {
  /** @returns the text that is now complete; may be empty */
  push(ids: readonly number[]): string
  /** Call once at the end. @returns what was held back, with broken characters as U+FFFD */
  flush(): string
}

/** Turns text and image files into model inputs, and token ids back into text. */
export interface Processor {
  /** Ids that end an answer. */
  readonly stopIds: readonly number[]
  /** The first control token id; all lower ids are text. */
  readonly controlIdsFrom: number
  /** Tokens of the texts around a thought. */
  readonly thoughtMarks: { readonly begin: readonly number[]; readonly end: readonly number[] }
  /**
   * @param images whole image files, one per image part, in order. The call takes ownership: their memory may be
   * transferred to another thread, so they must not be used afterwards
   * @throws {ServiceError} `empty_image`, `invalid_image`, `unsupported_image`, `image_too_large` (with the image's
   * number in the message), `cancelled`, `shutting_down`
   */
  prepare(
    messages: readonly Message[],
    images: readonly Uint8Array[],
    caller: TaskCaller,
  ): Promise<PreparedPrompt>
  createDetokenizer(): Detokenizer
  /** A single token: its text with broken characters as U+FFFD, or the name of a control token. */
  tokenText(id: number): string
  /** Its bytes; a control token has none. */
  tokenBytes(id: number): Uint8Array
  close(): Promise<void>
}
