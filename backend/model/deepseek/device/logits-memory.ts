import type { Tensor } from 'onnxruntime-node'
import type { Accelerator } from '../../accelerator/accelerator.ts'

/**
 * The device's memory for the logits of one step, which stay there until the next. It is allocated when it is first needed
 * and then reused. Sizes are powers of two, so that there are few of them.
 */
export class LogitsMemory {
  readonly #accelerator: Accelerator
  readonly #vocabSize: number
  /** By number of rows. */
  readonly #tensors = new Map<number, Tensor[]>()
  /** How many of each size are in use. */
  readonly #taken = new Map<number, number>()

  constructor(accelerator: Accelerator, vocabSize: number) {
    this.#accelerator = accelerator
    this.#vocabSize = vocabSize
  }

  /** Gives up the logits of all earlier steps. */
  beginStep(): void {
    this.#taken.clear()
  }

  /** @returns [rows, vocabSize], for one run of the step */
  async take(rows: number): Promise<Tensor> {
    const size = 2 ** Math.ceil(Math.log2(rows))
    const tensors = this.#tensors.get(size) ?? []
    this.#tensors.set(size, tensors)
    const place = this.#taken.get(size) ?? 0
    this.#taken.set(size, place + 1)
    tensors[place] ??= await this.#accelerator.zeros('float32', [size, this.#vocabSize])
    return this.#accelerator.view(tensors[place], [rows, this.#vocabSize])
  }
}
