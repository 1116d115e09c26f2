/// <reference lib="es2024.arraybuffer" />
import { releaseMemory } from '../release-memory.ts'

/**
 * Tokens by which a slot's memory grows. With a row width that is a multiple of 16 floats, these are whole memory
 * pages.
 */
export const slotGrowthTokens = 64

const floatBytes = Float32Array.BYTES_PER_ELEMENT

/**
 * One sequence's cache rows: one block per layer that grows in place. Address space for the longest sequence is
 * reserved on creation, which costs no memory; pages are added as tokens arrive. So rows are never copied to make
 * room, and memory never exceeds the tokens, rounded up to `slotGrowthTokens`.
 */
export class SlotMemory {
  readonly #blocks: readonly ArrayBuffer[]
  readonly #width: number
  readonly #maxTokens: number
  #length = 0

  /** @param width floats per token and layer */
  constructor(layerCount: number, width: number, maxTokens: number) {
    this.#width = width
    this.#maxTokens = Math.ceil(maxTokens / slotGrowthTokens) * slotGrowthTokens
    const maxByteLength = this.#maxTokens * width * floatBytes
    this.#blocks = Array.from({ length: layerCount }, () => new ArrayBuffer(0, { maxByteLength }))
  }

  /** Tokens held. */
  get length(): number {
    return this.#length
  }

  /** [to - from, width] of one layer. Not a copy. */
  rows(layer: number, from: number, to: number): Float32Array {
    const start = from * this.#width * floatBytes
    return new Float32Array(this.#blocks[layer]!, start, (to - from) * this.#width)
  }

  /**
   * Adds `count` tokens; `rowsOf(layer)` returns their [count, width].
   * @throws {RangeError} when the sequence would exceed `maxTokens`
   */
  append(count: number, rowsOf: (layer: number) => Float32Array): void {
    const start = this.#length
    const end = start + count
    this.#grow(end)
    this.#blocks.forEach((_, layer) => this.rows(layer, start, end).set(rowsOf(layer)))
    this.#length = end
  }

  /** Drops all but the first `tokens`, which must exist, and frees the memory of the rest. */
  truncate(tokens: number): void {
    this.#length = tokens
    const bytes = this.#bytesFor(tokens)
    for (const block of this.#blocks) block.resize(bytes)
  }

  /** Frees all memory; the object must not be used afterwards. */
  release(): void {
    for (const block of this.#blocks) releaseMemory(block)
  }

  #grow(tokens: number): void {
    if (tokens > this.#maxTokens) {
      throw new RangeError(`A slot holds at most ${this.#maxTokens} tokens`)
    }
    const bytes = this.#bytesFor(tokens)
    for (const block of this.#blocks) {
      if (block.byteLength < bytes) block.resize(bytes)
    }
  }

  #bytesFor(tokens: number): number {
    return Math.ceil(tokens / slotGrowthTokens) * slotGrowthTokens * this.#width * floatBytes
  }
}
