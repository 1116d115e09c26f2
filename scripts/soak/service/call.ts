import type { FormData } from 'undici'
import type { ErrorCode } from '../../../shared/api/errors.ts'

/** The format of an answer, which determines how it is read. */
export type AnswerKind = 'native' | 'chat' | 'messages'

/** One request of the mixed load. */
export interface SoakCall {
  readonly path: string
  readonly body: string | FormData
  readonly answer: AnswerKind
  readonly stream: boolean
  /** Whose key it carries. */
  readonly role: Role
  /** When the client leaves, as a share of the time that an answer takes; undefined if it stays. */
  readonly leavesAt?: number
  /** The error with which it must be refused; undefined if it must be answered. */
  readonly refusal?: ErrorCode
}

/**
 * Each kind of client has its own key: the usage of clients that stay can be compared down to the last token, while
 * only the server knows what clients that leave have used.
 */
export const roles = ['stays', 'leaves', 'errs'] as const
export type Role = (typeof roles)[number]
