import type { ErrorCode } from '../api/errors.ts'
import type { LogLine } from './log-line.ts'

/** The log line of one request. Edge and backend name these fields alike, so that one search finds both. */
export interface RequestLine extends LogLine {
  readonly message: 'request'
  readonly request_id: string
  /** The path as the table of routes has it; null for one that it has not, which might hold anything. */
  readonly route: string | null
  /** Never the key itself; null where none was accepted. */
  readonly key_id: string | null
  /** The address the request came from; null where it cannot be known. */
  readonly address: string | null
  readonly status: number
  /** Of the error that was answered, or that ended a stream. */
  readonly code?: ErrorCode
  /** From the request's arrival to the end of its answer. */
  readonly ms: number
}
