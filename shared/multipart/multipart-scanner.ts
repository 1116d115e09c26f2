import { joinChunks } from '../bytes/join-chunks.ts'
import { DelimiterFinder } from './delimiter.ts'
import { invalidMultipart } from './invalid-multipart.ts'
import { parsePartHead, type PartHead } from './part-head.ts'

/** Bytes of one part's header fields: what Node accepts for a whole request. Clients send about 200. */
const maxHeadBytes = 16 * 1024

/** Parts of one body: all the fields and images a form may have, and empty file inputs. */
export const maxFormParts = 128

export type PartEvent =
  | { readonly type: 'part'; readonly head: PartHead }
  /** A piece of the part's content; a view of the pushed bytes. */
  | { readonly type: 'bytes'; readonly bytes: Uint8Array }
  | { readonly type: 'end' }

const none = new Uint8Array()

/**
 * Splits a multipart body (RFC 2046, section 5.1) into its parts, regardless of how it is chunked. Takes linear time
 * and constant memory: of the pushed bytes it keeps only what may still become a delimiter, and the head of one part.
 */
export class MultipartScanner {
  readonly #finder: DelimiterFinder
  readonly #head = new Uint8Array(maxHeadBytes)
  #headBytes = 0
  #parts = 0
  #state: 'preamble' | 'head' | 'content' | 'epilogue' = 'preamble'
  /** Bytes that may be the beginning of a delimiter. */
  #rest: Uint8Array = none

  constructor(boundary: string) {
    this.#finder = new DelimiterFinder(boundary)
  }

  /** @throws {ServiceError} `invalid_multipart` */
  *push(chunk: Uint8Array): Generator<PartEvent, void, undefined> {
    const bytes = this.#rest.length === 0 ? chunk : joinChunks([this.#rest, chunk])
    this.#rest = none
    for (let at = 0; at < bytes.length && this.#state !== 'epilogue';) {
      if (this.#state === 'head') at = yield* this.#readHead(bytes, at)
      else at = yield* this.#readContent(bytes, at)
    }
  }

  /** @throws {ServiceError} `invalid_multipart` when the body is incomplete */
  end(): void {
    if (this.#state === 'epilogue') return
    throw invalidMultipart(
      this.#state === 'preamble' ? 'its boundary does not occur in it' : 'it ends too early',
    )
  }

  /** Reads the content of a part, or the preamble, which is ignored. @returns index of its end */
  *#readContent(bytes: Uint8Array, from: number): Generator<PartEvent, number, undefined> {
    const isContent = this.#state === 'content'
    const found = this.#finder.find(bytes, from)
    if (isContent && found.start > from) {
      yield { type: 'bytes', bytes: bytes.subarray(from, found.start) }
    }
    if (found.kind === 'none') {
      this.#rest = bytes.slice(found.start)
      return bytes.length
    }
    if (isContent) yield { type: 'end' }
    this.#state = found.kind === 'last' ? 'epilogue' : 'head'
    this.#headBytes = 0
    return found.end
  }

  /** Reads the head, with the line break before it and the empty line after it. @returns index of its end */
  *#readHead(bytes: Uint8Array, from: number): Generator<PartEvent, number, undefined> {
    const earlier = this.#headBytes
    const piece = bytes.subarray(from, from + maxHeadBytes - earlier)
    this.#head.set(piece, earlier)
    this.#headBytes += piece.length
    const end = this.#finder.endOfLines(this.#head.subarray(0, this.#headBytes), earlier)
    if (end === undefined) {
      if (this.#headBytes < maxHeadBytes) return bytes.length
      throw invalidMultipart(`the header of a part is over ${maxHeadBytes} bytes`)
    }
    this.#parts += 1
    if (this.#parts > maxFormParts) throw invalidMultipart(`it has over ${maxFormParts} parts`)
    yield { type: 'part', head: parsePartHead(this.#head.subarray(0, end)) }
    this.#state = 'content'
    this.#finder.startLine()
    return from + end - earlier
  }
}
