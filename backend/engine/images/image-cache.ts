import type { ImageFeatures } from '../../model/model.ts'

/** Features of recent images, by content; the least recently used are dropped first. */
export class ImageCache {
  readonly #maxBytes: number
  readonly #features = new Map<string, ImageFeatures>()
  #bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  get bytes(): number {
    return this.#bytes
  }

  get(key: string): ImageFeatures | undefined {
    const features = this.#features.get(key)
    if (features === undefined) return undefined
    this.#features.delete(key)
    this.#features.set(key, features)
    return features
  }

  /** Anything larger than the whole cache is not kept. */
  set(key: string, features: ImageFeatures): void {
    if (features.byteLength > this.#maxBytes) return
    this.#delete(key)
    this.#features.set(key, features)
    this.#bytes += features.byteLength
    for (const oldest of this.#features.keys()) {
      if (this.#bytes <= this.#maxBytes) return
      this.#delete(oldest)
    }
  }

  #delete(key: string): void {
    this.#bytes -= this.#features.get(key)?.byteLength ?? 0
    this.#features.delete(key)
  }
}
