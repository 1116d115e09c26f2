import { joinChunks } from './join-chunks.ts'

/** Bytes below which a chunk is copied: a separate view would take more memory than the chunk itself. */
const smallBytes = 4 * 1024

const blockBytes = 64 * 1024

/** Gathers chunks such that a client sending single bytes costs no more memory than one sending blocks. */
export class ChunkList {
  readonly #chunks: Uint8Array[] = []
  #block = new Uint8Array()
  #used = 0

  /** @param chunk must not change any more, unless it is small */
  push(chunk: Uint8Array): void {
    if (chunk.length >= smallBytes) {
      this.#closeBlock()
      this.#chunks.push(chunk)
      return
    }
    if (this.#used + chunk.length > this.#block.length) {
      this.#closeBlock()
      // The first block is small, because most bodies are.
      this.#block = new Uint8Array(this.#chunks.length === 0 ? smallBytes : blockBytes)
    }
    this.#block.set(chunk, this.#used)
    this.#used += chunk.length
  }

  join(): Uint8Array {
    return joinChunks(this.all())
  }

  /** All there is, in pieces. */
  all(): readonly Uint8Array[] {
    this.#closeBlock()
    return this.#chunks
  }

  #closeBlock(): void {
    if (this.#used > 0) this.#chunks.push(this.#block.subarray(0, this.#used))
    this.#block = this.#block.subarray(this.#used)
    this.#used = 0
  }
}
