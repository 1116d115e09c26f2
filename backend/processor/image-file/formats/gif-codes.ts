/** Codes have at most 12 bits (GIF89a, appendix F). */
const maxBits = 12

/**
 * Number of pixels that the LZW codes of a GIF's frame stand for (GIF89a, appendix F), found by adding up the lengths of
 * the sequences, in one pass over the codes.
 * @param rootBits bits of a pixel, which the frame states before its data
 * @param most at which counting stops
 */
export function countGifPixels(data: Uint8Array, rootBits: number, most: number): number {
  const clear = 2 ** rootBits
  // Pixels that a code stands for.
  const lengths = new Uint16Array(2 ** maxBits).fill(1, 0, clear)
  let next = clear + 2
  let size = rootBits + 1
  let previous: number | undefined
  let pixels = 0
  for (const code of codesOf(data, () => size)) {
    if (code === clear) {
      next = clear + 2
      size = rootBits + 1
      previous = undefined
      continue
    }
    const isNext = code === next && previous !== undefined
    if (code === clear + 1 || (code >= next && !isNext)) break
    if (previous !== undefined && next < lengths.length) lengths[next++] = lengths[previous]! + 1
    if (next === 2 ** size && size < maxBits) size += 1
    pixels += lengths[code]!
    if (pixels >= most) break
    previous = code
  }
  return pixels
}

/** The codes, lowest bits first, as far as they are complete. @param size bits of the next one */
function* codesOf(data: Uint8Array, size: () => number): Generator<number> {
  let bits = 0
  let held = 0
  for (const byte of data) {
    bits |= byte << held
    held += 8
    for (let width = size(); held >= width; width = size()) {
      const code = bits & (2 ** width - 1)
      bits >>>= width
      held -= width
      yield code
    }
  }
}
