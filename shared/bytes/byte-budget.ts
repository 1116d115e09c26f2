/** A number of bytes that may still be taken. A budget may draw on a wider one that it shares with others. */
export class ByteBudget {
  readonly maxBytes: number
  readonly #shared: ByteBudget | undefined
  readonly #onTake: ((bytes: number) => void) | undefined
  #left: number

  /** @param onTake called with the bytes about to be taken */
  constructor(maxBytes: number, shared?: ByteBudget, onTake?: (bytes: number) => void) {
    this.maxBytes = maxBytes
    this.#left = maxBytes
    this.#shared = shared
    this.#onTake = onTake
  }

  /** @returns false when more was taken than was left, here or in the shared budget */
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
