import type { Usage } from '../../../shared/api/events.ts'
import { maxCommentBytes, readComment } from '../../../shared/forward/usage-comment.ts'

/** What a stream has said about its own outcome. */
export interface AnswerEnd {
  /** Of a complete answer. */
  readonly usage?: Usage
  /** Of an unfinished stream: its latest reported usage, plus a token for each event since. */
  readonly usageSoFar?: Usage
  /** Code of the error event that ended a stream, or of an error answer. */
  readonly errorCode?: string | undefined
}

const [newline, colon, letterD] = [0x0a, 0x3a, 0x64]

const utf8 = new TextDecoder()

/**
 * Reads the comments of an event stream as it flows by, regardless of how it is chunked, and counts the events since
 * the last one about usage. No text of a model or a client can be mistaken for a comment, because every line break
 * inside a JSON string is escaped.
 */
export class StreamReading {
  /** The kind of the current line: an event's data, the comment received so far, or neither. */
  #line: 'data' | { comment: string } | undefined
  #isLineStart = true
  #usageSoFar: Usage | undefined
  #eventsSince = 0
  #usage: Usage | undefined
  #errorCode: string | undefined

  push(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.byteLength;) {
      const found = chunk.indexOf(newline, at)
      const end = found < 0 ? chunk.byteLength : found
      if (this.#isLineStart) this.#line = beginLine(chunk[at])
      if (typeof this.#line === 'object') this.#addToComment(chunk.subarray(at, end))
      this.#isLineStart = found >= 0
      if (this.#isLineStart) this.#endLine()
      at = end + 1
    }
  }

  end(): AnswerEnd {
    return {
      ...(this.#errorCode !== undefined && { errorCode: this.#errorCode }),
      ...(this.#usage !== undefined && { usage: this.#usage }),
      ...(this.#usageSoFar !== undefined && {
        usageSoFar: {
          ...this.#usageSoFar,
          completion_tokens: this.#usageSoFar.completion_tokens + this.#eventsSince,
        },
      }),
    }
  }

  #addToComment(bytes: Uint8Array): void {
    const { comment } = this.#line as { comment: string }
    const isOurs = comment.length + bytes.byteLength <= maxCommentBytes
    this.#line = isOurs ? { comment: comment + utf8.decode(bytes) } : undefined
  }

  #endLine(): void {
    if (this.#line === 'data') this.#eventsSince += 1
    else if (this.#line !== undefined) this.#note(this.#line.comment)
    this.#line = undefined
  }

  #note(line: string): void {
    const comment = readComment(line)
    if (comment === undefined) return
    switch (comment.says) {
      case 'so far':
        this.#usageSoFar = comment.usage
        this.#eventsSince = 0
        return
      case 'end':
        this.#usage = comment.usage
        return
      case 'failed':
        this.#errorCode = comment.code
        // The usage comes before the error; the events since then are the error itself, one or two depending on the
        // API.
        this.#eventsSince = 0
    }
  }
}

function beginLine(first: number | undefined): 'data' | { comment: string } | undefined {
  if (first === letterD) return 'data'
  return first === colon ? { comment: '' } : undefined
}
