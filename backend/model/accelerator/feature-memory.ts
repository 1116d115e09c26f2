import type { Tensor } from 'onnxruntime-node'
import type { ImageFeatures } from '../model.ts'
import type { Accelerator } from './accelerator.ts'

/** Row of zeros, for tokens that are no image's. */
export const noFeature = 0

/** Rows of a device's memory for image features, which the vision tower fills and the decoder reads. */
export class FeatureMemory {
  readonly #accelerator: Accelerator
  readonly #width: number
  /** The last is the next to be used. */
  readonly #free: number[]
  /** Rows are free again when nothing refers to their features. */
  readonly #owners = new FinalizationRegistry<Int32Array>((rows) => this.#free.push(...rows))
  /** [rows, width], and its next version when an update has made one */
  tensor: Tensor

  private constructor(accelerator: Accelerator, tensor: Tensor) {
    const [rows, width] = tensor.dims as [number, number]
    this.#accelerator = accelerator
    this.#width = width
    this.#free = Array.from({ length: rows - 1 }, (_, i) => rows - 1 - i)
    this.tensor = tensor
  }

  /** @param tokens for which there is memory @param width numbers of a token's features */
  static async open(accelerator: Accelerator, tokens: number, width: number) {
    return new FeatureMemory(accelerator, await accelerator.zeros('float32', [tokens + 1, width]))
  }

  /** @returns undefined when there is not enough memory, until features in it are no longer used */
  take(tokens: number): DeviceFeatures | undefined {
    if (tokens > this.#free.length) return undefined
    const rows = Int32Array.from(this.#free.splice(this.#free.length - tokens))
    const features = new DeviceFeatures(this, rows, this.#width)
    this.#owners.register(features, rows)
    return features
  }

  /** Copies features to the host. */
  async read(rows: Int32Array): Promise<Float32Array> {
    const values = new Float32Array(rows.length * this.#width)
    for (const [i, row] of rows.entries()) {
      values.set(await this.#accelerator.readRow(this.tensor, row), i * this.#width)
    }
    return values
  }
}

/** Features in rows of a device's memory. */
export class DeviceFeatures implements ImageFeatures {
  readonly memory: FeatureMemory
  readonly rows: Int32Array
  readonly #width: number
  /** Keeps the rows of which these are a part. */
  readonly #whole: DeviceFeatures | undefined

  constructor(memory: FeatureMemory, rows: Int32Array, width: number, whole?: DeviceFeatures) {
    this.memory = memory
    this.rows = rows
    this.#width = width
    this.#whole = whole
  }

  get length(): number {
    return this.rows.length * this.#width
  }

  get byteLength(): number {
    return this.length * Float32Array.BYTES_PER_ELEMENT
  }

  subarray(from: number, to: number): DeviceFeatures {
    const rows = this.rows.subarray(from / this.#width, to / this.#width)
    return new DeviceFeatures(this.memory, rows, this.#width, this.#whole ?? this)
  }

  /** A copy on the host. */
  read(): Promise<Float32Array> {
    return this.memory.read(this.rows)
  }
}
