import type { AnswerUsage, FinishReason, Timings } from '../../../../../shared/api/events.ts'
import type { Problem } from '../problem.ts'
import type { Settings } from '../question.ts'

/** One answer, which may be incomplete. */
export interface AnswerRecord {
  readonly settings: Settings
  /** One for each of `n`. */
  readonly texts: readonly string[]
  /** What the model thought before each of them. Older records have none. */
  readonly thoughts?: readonly string[]
  readonly end?: AnswerEnd
  readonly problem?: Problem
  /** Whether the user stopped it. */
  readonly stopped: boolean
}

export interface AnswerEnd {
  readonly reasons: readonly FinishReason[]
  readonly usage: AnswerUsage
  readonly timings: Timings
  readonly requestId: string
}

/** A question with its answers, as kept in the history. Only small copies of its pictures are kept. */
export interface HistoryEntry {
  readonly id: string
  /** Milliseconds since 1970. */
  readonly at: number
  readonly prompt: string
  readonly pictures: readonly KeptPicture[]
  /** One, or two side by side. */
  readonly answers: readonly AnswerRecord[]
}

export type KeptPicture =
  | { readonly kind: 'file'; readonly name: string; readonly thumbnail: string | undefined }
  | { readonly kind: 'url'; readonly url: string }
