import type { Usage } from '../../shared/api/events.ts'
import { joinChunks } from '../../shared/bytes/join-chunks.ts'
import {
  failedCommentCode,
  lastEndComment,
  lastUsageComment,
  maxUsageCommentBytes,
} from '../../shared/forward/usage-comment.ts'

/** Bytes of a stream's end that are kept: the comments that tell how it ended are its last ones, and take some 60. */
const tailBytes = 2_048

const utf8 = new TextDecoder()

/** The last bytes of what flows by. Chunks are kept as they are; nothing is copied or parsed until asked for. */
export class AnswerTail {
  readonly #chunks: Uint8Array[] = []
  #size = 0
  /** The last bytes that may tell what was used: of what comes after them there may be more than is kept. */
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

  /** What the answer says about itself, as far as it came. */
  end(): AnswerEnd {
    const end = readAnswerEnd(this.text())
    const usageSoFar = end.usageSoFar ?? lastUsageComment(utf8.decode(this.#told))
    return usageSoFar === undefined ? end : { ...end, usageSoFar }
  }
}

/** As a comment about usage does, and no event. */
function endsWithNumber(chunk: Uint8Array): boolean {
  const digit = chunk.at(-3) ?? 0
  return chunk.at(-1) === newline && digit >= 0x30 && digit <= 0x39
}

const newline = 0x0a

/** What a stream says about itself near its end. */
export interface AnswerEnd {
  /** Of an answer that is whole. */
  readonly usage?: Usage
  /** Of a stream that goes on: what it had used when it last told. */
  readonly usageSoFar?: Usage
  /** Of the error event that ended a stream. */
  readonly errorCode?: string
}

/**
 * Reads the comments at a stream's end. No text a model or a client wrote can be mistaken for one: inside JSON strings
 * every line break is escaped.
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
