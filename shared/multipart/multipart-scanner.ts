import { joinChunks } from '../bytes/join-chunks.ts'
import { DelimiterFinder } from './delimiter.ts'
import { invalidMultipart } from './invalid-multipart.ts'
import { parsePartHead, type PartHead } from './part-head.ts'

/** Bytes of one part's header fields: what Node takes of a whole request's. Clients send some 200. */
const maxHeadBytes = 16 * 1024

/** Parts of one body: all fields and images a form may have, and file inputs that were left alone. */
const maxParts = 128

export type PartEvent =
  | { readonly type: 'part'; readonly head: PartHead }
  /** A piece of the part's content; a view on what was pushed. */
  | { readonly type: 'bytes'; readonly bytes: Uint8Array }
  | { readonly type: 'end' }

const none = new Uint8Array()

/**
 * Splits a multipart body (RFC 2046, section 5.1) into its parts, wherever its chunks are cut. Time is linear in the bytes,
 * memory constant: of what was pushed no more is kept than may still become a delimiter, or the head of one part.
 */
export class MultipartScanner {
  readonly #finder: DelimiterFinder
  readonly #head = new Uint8Array(maxHeadBytes)
  #headBytes = 0
  #parts = 0
  #state: 'preamble' | 'head' | 'content' | 'epilogue' = 'preamble'
  /** What may be the beginning of a delimiter. */
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

  /** @throws {ServiceError} `invalid_multipart` when there should be more */
  end(): void {
    if (this.#state === 'epilogue') return
    throw invalidMultipart(
      this.#state === 'preamble' ? 'its boundary does not occur in it' : 'it ends too early',
    )
  }

  /** The content of a part, or what stands before the first one, which nobody wants. @returns where it ends */
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

  /** The head, with the line break before and the empty line behind it. @returns where it ends */
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
    if (this.#parts > maxParts) throw invalidMultipart(`it has over ${maxParts} parts`)
    yield { type: 'part', head: parsePartHead(this.#head.subarray(0, end)) }
    this.#state = 'content'
    this.#finder.startLine()
    return from + end - earlier
  }
}
