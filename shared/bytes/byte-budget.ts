/** Counts bytes down. A budget may draw on a wider one, shared with others. */
export class ByteBudget {
  readonly maxBytes: number
  readonly #shared: ByteBudget | undefined
  readonly #onTake: ((bytes: number) => void) | undefined
  #left: number

  /** @param onTake told of what is taken, before it counts */
  constructor(maxBytes: number, shared?: ByteBudget, onTake?: (bytes: number) => void) {
    this.maxBytes = maxBytes
    this.#left = maxBytes
    this.#shared = shared
    this.#onTake = onTake
  }

  /** @returns false when more was taken than there was, here or in the shared budget */
  take(bytes: number): boolean {
    this.#onTake?.(bytes)
    this.#left -= bytes
    const shared = this.#shared?.take(bytes) ?? true
    return this.#left >= 0 && shared
  }

  get exceeded(): boolean {
    return this.#left < 0
  }
}
