import type { StreamEnd } from '../../backends/exchange.ts'
import type { AnswerTail } from './answer-tail.ts'
import type { Stopping } from '../stopping.ts'

export interface StreamWatch {
  /** Aborted when the client leaves. */
  readonly signal: AbortSignal
  readonly stopping: Stopping
  /** Milliseconds without a byte after which the backend is given up. */
  readonly idleMs: number
  /** The last bytes for the client when the stream ends early, unless the client itself left. */
  readonly lastWords: (how: 'broken' | 'cut', tail: AnswerTail) => Uint8Array
  /**
   * Called exactly once. The client learns of the end when this resolves.
   * @param bytes number of bytes received from the backend
   */
  readonly onEnd: (how: StreamEnd, tail: AnswerTail, bytes: number) => Promise<void>
}

/**
 * Relays a stream of server-sent events unchanged and watches its end. When the backend breaks off, falls silent or
 * ends within an event, or this edge must stop, the client reads that in a final event instead of seeing a cut
 * connection.
 */
export type StreamRelay = (
  source: ReadableStream<Uint8Array>,
  watch: StreamWatch,
) => ReadableStream<Uint8Array>
