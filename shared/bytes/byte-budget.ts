/** Counts bytes down. A budget may draw on a wider one, shared with others. */
export class ByteBudget {
  readonly maxBytes: number
  readonly #shared: ByteBudget | undefined
  #left: number

  constructor(maxBytes: number, shared?: ByteBudget) {
    this.maxBytes = maxBytes
    this.#left = maxBytes
    this.#shared = shared
  }

  /** @returns false when more was taken than there was, here or in the shared budget */
  take(bytes: number): boolean {
    this.#left -= bytes
    const shared = this.#shared?.take(bytes) ?? true
    return this.#left >= 0 && shared
  }

  get exceeded(): boolean {
    return this.#left < 0
  }
}
