import { Tensor } from 'onnxruntime-node'
import type { VisionConfig } from '../config/model-config.ts'
import { visionNames } from './vision-names.ts'
import { releaseMemory } from '../release-memory.ts'

/** For all patches, [heads, patches, headDim]. */
interface KeysAndValues {
  readonly keys: Float32Array<ArrayBuffer>
  readonly values: Float32Array<ArrayBuffer>
}

/** State of the patches of one image between two blocks of the vision tower. */
export class PatchState {
  readonly #patches: number
  readonly #heads: number
  readonly #width: number
  /** [patches, width] */
  readonly #hidden: Float32Array<ArrayBuffer>
  readonly #queries: Float32Array<ArrayBuffer>
  /** Keys and values that the current block attends to. */
  #attended: KeysAndValues
  /** Keys and values for the next block. */
  #projected: KeysAndValues

  constructor(patches: number, config: VisionConfig) {
    const numbers = () => new Float32Array(patches * config.hidden_size)
    this.#patches = patches
    this.#heads = config.num_attention_heads
    this.#width = config.hidden_size
    this.#hidden = numbers()
    this.#queries = numbers()
    this.#attended = { keys: numbers(), values: numbers() }
    this.#projected = { keys: numbers(), values: numbers() }
  }

  /** All patches have passed a block: the new projections are what they attend to next. */
  nextBlock(): void {
    const attended = this.#attended
    this.#attended = this.#projected
    this.#projected = attended
  }

  /** Inputs of the blocks graph for patches [from, to): views, not copies. */
  feeds(from: number, to: number): Record<string, Tensor> {
    const { keys, values } = this.#attended
    const ofPatches = (x: Float32Array) =>
      new Tensor('float32', x.subarray(from * this.#width, to * this.#width), [
        to - from,
        this.#width,
      ])
    const ofAll = (x: Float32Array) =>
      new Tensor('float32', x, [this.#heads, this.#patches, this.#width / this.#heads])
    return {
      [visionNames.hidden]: ofPatches(this.#hidden),
      [visionNames.queries]: ofPatches(this.#queries),
      [visionNames.keys]: ofAll(keys),
      [visionNames.values]: ofAll(values),
    }
  }

  /** @param rows [patches, width] of patches from `from` on */
  setHidden(from: number, rows: Float32Array): void {
    this.#hidden.set(rows, from * this.#width)
  }

  /** Stores the projections of patches from `from` on. @param rows [patches, width], and [heads, patches, headDim] */
  setProjections(
    from: number,
    rows: Readonly<Record<'queries' | 'keys' | 'values', Float32Array>>,
  ): void {
    this.#queries.set(rows.queries, from * this.#width)
    this.#setByHead(this.#projected.keys, from, rows.keys)
    this.#setByHead(this.#projected.values, from, rows.values)
  }

  /** Hidden rows of the given patches, in the given order. */
  gather(patches: Int32Array): Float32Array {
    const rows = new Float32Array(patches.length * this.#width)
    patches.forEach((patch, i) => {
      const start = patch * this.#width
      rows.set(this.#hidden.subarray(start, start + this.#width), i * this.#width)
    })
    return rows
  }

  /** Frees the memory; nothing may be called afterwards. */
  release(): void {
    for (const { keys, values } of [this.#attended, this.#projected]) {
      releaseMemory(keys.buffer)
      releaseMemory(values.buffer)
    }
    releaseMemory(this.#hidden.buffer)
    releaseMemory(this.#queries.buffer)
  }

  /** @param part [heads, some patches, headDim] */
  #setByHead(all: Float32Array, from: number, part: Float32Array): void {
    const headDim = this.#width / this.#heads
    const size = part.length / this.#heads
    for (let head = 0; head < this.#heads; head++) {
      const rows = part.subarray(head * size, (head + 1) * size)
      all.set(rows, (head * this.#patches + from) * headDim)
    }
  }
}
