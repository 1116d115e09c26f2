import { joinChunks } from '../../../shared/bytes/join-chunks.ts'
import { type AnswerEnd, StreamReading } from './stream-reading.ts'

/** Bytes of a stream's end that are kept: enough to add an event to it. */
const tailBytes = 2_048

const utf8 = new TextDecoder()

/** Observes a stream passing by: what it reports about itself, and its last bytes. Chunks are kept as they are. */
export class AnswerTail {
  readonly #chunks: Uint8Array[] = []
  readonly #reading = new StreamReading()
  #size = 0

  push(chunk: Uint8Array): void {
    this.#reading.push(chunk)
    this.#chunks.push(chunk.byteLength > tailBytes ? chunk.subarray(-tailBytes) : chunk)
    this.#size += this.#chunks.at(-1)!.byteLength
    while (this.#size - this.#chunks[0]!.byteLength >= tailBytes) {
      this.#size -= this.#chunks.shift()!.byteLength
    }
  }

  /** A character cut off at the beginning becomes U+FFFD. */
  text(): string {
    return utf8.decode(joinChunks(this.#chunks))
  }

  /** What the answer has said about its own end so far. */
  end(): AnswerEnd {
    return this.#reading.end()
  }
}
