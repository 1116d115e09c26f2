import type { Usage } from '../../shared/api/events.ts'
import { joinChunks } from '../../shared/bytes/join-chunks.ts'
import {
  failedCommentCode,
  lastEndComment,
  lastUsageComment,
  maxUsageCommentBytes,
} from '../../shared/forward/usage-comment.ts'

/** Bytes kept from a stream's end: the comments about its outcome come last and take about 60 bytes. */
const tailBytes = 2_048

const utf8 = new TextDecoder()

/** The last bytes that flowed by. Chunks are kept as they are; nothing is copied or parsed until it is needed. */
export class AnswerTail {
  readonly #chunks: Uint8Array[] = []
  #size = 0
  /** The last chunk that may contain usage: more bytes than are kept may follow it. */
  #told: Uint8Array = new Uint8Array()

  push(chunk: Uint8Array): void {
    if (endsWithNumber(chunk)) this.#told = chunk.subarray(-maxUsageCommentBytes)
    this.#chunks.push(chunk.byteLength > tailBytes ? chunk.subarray(-tailBytes) : chunk)
    this.#size += this.#chunks.at(-1)!.byteLength
    while (this.#size - this.#chunks[0]!.byteLength >= tailBytes) {
      this.#size -= this.#chunks.shift()!.byteLength
    }
  }

  /** A character cut in two at the front becomes U+FFFD. */
  text(): string {
    return utf8.decode(joinChunks(this.#chunks))
  }

  /** What the answer says about its own end, as far as it arrived. */
  end(): AnswerEnd {
    const end = readAnswerEnd(this.text())
    const usageSoFar = end.usageSoFar ?? lastUsageComment(utf8.decode(this.#told))
    return usageSoFar === undefined ? end : { ...end, usageSoFar }
  }
}

/** True for the end of a usage comment, but not of an event. */
function endsWithNumber(chunk: Uint8Array): boolean {
  const digit = chunk.at(-3) ?? 0
  return chunk.at(-1) === newline && digit >= 0x30 && digit <= 0x39
}

const newline = 0x0a

/** What a stream says about itself near its end. */
export interface AnswerEnd {
  /** Of a complete answer. */
  readonly usage?: Usage
  /** Of an unfinished stream: what it had used according to its latest comment. */
  readonly usageSoFar?: Usage
  /** Of the error event that ended a stream. */
  readonly errorCode?: string
}

/**
 * Reads the comments at a stream's end. No text of a model or a client can be mistaken for one, because every line
 * break inside a JSON string is escaped.
 * @param tail may begin anywhere
 */
function readAnswerEnd(tail: string): AnswerEnd {
  const errorCode = failedCommentCode(tail)
  const usage = lastEndComment(tail)
  const usageSoFar = lastUsageComment(tail)
  return {
    ...(errorCode === undefined ? {} : { errorCode }),
    ...(usage === undefined ? {} : { usage }),
    ...(usageSoFar === undefined ? {} : { usageSoFar }),
  }
}
