import type { StreamEnd } from '../backends/exchange.ts'
import type { AnswerTail } from './answer-tail.ts'
import type { Stopping } from './stopping.ts'

export interface StreamWatch {
  /** Aborted when the client leaves. */
  readonly signal: AbortSignal
  readonly stopping: Stopping
  /** Milliseconds without a byte after which the backend is given up. */
  readonly idleMs: number
  /** What the client is sent last when the stream ends early, and not by its leaving. */
  readonly lastWords: (how: 'broken' | 'cut', tail: AnswerTail) => Uint8Array
  /**
   * Called once, whatever happens. The client hears of the end once this resolves.
   * @param bytes how many came from the backend
   */
  readonly onEnd: (how: StreamEnd, tail: AnswerTail, bytes: number) => Promise<void>
}

/**
 * Relays a stream of server-sent events unchanged and watches its end. When the backend breaks off, falls silent or ends
 * within an event, or this edge has to end, the client reads so in the last words instead of meeting a cut connection.
 */
export type StreamRelay = (
  source: ReadableStream<Uint8Array>,
  watch: StreamWatch,
) => ReadableStream<Uint8Array>

const newline = 0x0a

/**
 * The length of `bytes` up to and with the last empty line, which ends an event; 0 without one.
 * @param before the byte before these
 */
export function endOfLastEvent(bytes: Uint8Array, before?: number): number {
  for (let at = bytes.length - 1; at >= 0; at -= 1) {
    if (bytes[at] === newline && (at > 0 ? bytes[at - 1] : before) === newline) return at + 1
  }
  return 0
}
