import type { ErrorCode } from '../api/errors.ts'
import type { LogLine } from './log-line.ts'

/** The log line of one request. Edge and backend use the same field names, so that one search finds both. */
export interface RequestLine extends LogLine {
  readonly message: 'request'
  readonly request_id: string
  /** The path as the route table spells it; null for an unknown path, which might hold anything. */
  readonly route: string | null
  /** Never the key itself; null when no key was accepted. */
  readonly key_id: string | null
  /** The address the request came from; null when it is unknown. */
  readonly address: string | null
  readonly status: number
  /** Code of the error that was answered or that ended a stream. */
  readonly code?: ErrorCode
  /** From the request's arrival to the end of its answer. */
  readonly ms: number
}
