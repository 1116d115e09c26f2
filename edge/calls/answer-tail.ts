import type { Usage } from '../../shared/api/events.ts'
import { joinChunks } from '../../shared/bytes/join-chunks.ts'
import { lastUsageComment, maxUsageCommentBytes } from '../../shared/forward/usage-comment.ts'

/**
 * Bytes of an answer's end that are kept: usage, timings and ids stand there, in whole answers and in the `end` event,
 * and take some 400.
 */
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

/** What an answer says about itself near its end. */
export interface AnswerEnd {
  /** Of the answer, once it is whole. */
  readonly usage?: Usage
  /** Of a stream that goes on: what it had used when it last told. */
  readonly usageSoFar?: Usage
  /** Of the error event that ended a stream. */
  readonly errorCode?: string
}

/**
 * Reads the end of an answer, whole or streamed. No text a model or a client wrote can be mistaken for it: inside
 * JSON strings every quote and line break is escaped.
 * @param tail may begin anywhere
 */
function readAnswerEnd(tail: string): AnswerEnd {
  const code = /^event: error\ndata: .*"code":"(\w+)"/m.exec(tail)?.[1]
  const object = [...tail.matchAll(/[{,]"usage":(\{[^{}]*\})/g)].at(-1)?.[1]
  const soFar = lastUsageComment(tail)
  const usage = object === undefined ? undefined : parseUsage(object)
  return {
    ...(code === undefined ? {} : { errorCode: code }),
    ...(usage === undefined ? {} : { usage }),
    ...(soFar === undefined ? {} : { usageSoFar: soFar }),
  }
}

function parseUsage(json: string): Usage | undefined {
  const {
    prompt_tokens: prompt,
    image_tokens: image = 0,
    completion_tokens: completion,
  } = JSON.parse(json) as Partial<Record<keyof Usage, unknown>>
  if (!isCount(prompt) || !isCount(image) || !isCount(completion)) return undefined
  return { prompt_tokens: prompt, image_tokens: image, completion_tokens: completion }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0
}
