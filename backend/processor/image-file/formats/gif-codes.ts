/** Codes have at most 12 bits (GIF89a, appendix F). */
const maxBits = 12

/**
 * Number of pixels that the LZW codes of a GIF's frame stand for (GIF89a, appendix F), found by adding up the lengths of
 * the sequences, in one pass over the codes: lowest bits first, as far as they are complete.
 * @param rootBits bits of a pixel, which the frame states before its data
 * @param most at which counting stops
 */
export function countGifPixels(data: Uint8Array, rootBits: number, most: number): number {
  const count = new PixelCount(rootBits)
  let bits = 0
  let held = 0
  // A file may have 50 million codes: with a generator, counting takes several times as long as decoding.
  for (let at = 0; at < data.length; at++) {
    bits |= data[at]! << held
    held += 8
    while (held >= count.size) {
      const { size } = count
      const isEnd = !count.add(bits & count.mask)
      if (isEnd || count.pixels >= most) return count.pixels
      bits >>>= size
      held -= size
    }
  }
  return count.pixels
}

class PixelCount {
  pixels = 0
  /** Bits of the next code. */
  size = 0
  /** The bits of a code of this size. */
  mask = 0
  /** Number of codes of this size. */
  #full = 0
  readonly #rootBits: number
  readonly #clear: number
  /** Pixels that a code stands for. */
  readonly #lengths = new Uint16Array(2 ** maxBits)
  /** The code that the next one defines. */
  #next: number
  /** The code before; -1 for none. */
  #previous = -1

  constructor(rootBits: number) {
    this.#rootBits = rootBits
    this.#clear = 2 ** rootBits
    this.#lengths.fill(1, 0, this.#clear)
    this.#resize(rootBits + 1)
    this.#next = this.#clear + 2
  }

  /** @returns false for the code that ends the frame, and for one without a meaning */
  add(code: number): boolean {
    if (code === this.#clear) {
      this.#next = code + 2
      this.#resize(this.#rootBits + 1)
      this.#previous = -1
      return true
    }
    const isFirst = this.#previous < 0
    if (code === this.#clear + 1 || code > this.#next || (code === this.#next && isFirst)) {
      return false
    }
    if (!isFirst && this.#next < this.#lengths.length) {
      this.#lengths[this.#next++] = this.#lengths[this.#previous]! + 1
    }
    if (this.#next === this.#full && this.size < maxBits) this.#resize(this.size + 1)
    this.pixels += this.#lengths[code]!
    this.#previous = code
    return true
  }

  #resize(size: number): void {
    this.size = size
    this.#full = 2 ** size
    this.mask = this.#full - 1
  }
}
