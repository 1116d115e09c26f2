import type { FormData } from 'undici'
import type { ErrorCode } from '../../../shared/api/errors.ts'

/** How an answer is written, which decides how it is read. */
export type AnswerKind = 'native' | 'chat' | 'messages'

/** One request of the mixed load. */
export interface SoakCall {
  readonly path: string
  readonly body: string | FormData
  readonly answer: AnswerKind
  readonly stream: boolean
  /** Whose key it carries. */
  readonly role: Role
  /** Milliseconds after which the client leaves; undefined: it stays. */
  readonly leavesAfterMs?: number
  /** The error that it has to be refused with; undefined: it has to be answered. */
  readonly refusal?: ErrorCode
}

/**
 * Each kind of client has a key of its own: the use of those who stay can be compared to the last token, while only the
 * server knows what those who leave have used.
 */
export const roles = ['stays', 'leaves', 'errs'] as const
export type Role = (typeof roles)[number]
