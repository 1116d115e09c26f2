import type { Size } from './image-size.ts'

/** Interleaved RGB, row by row, one byte per channel: `rgb.length` is width * height * 3. */
export interface RgbImage extends Size {
  readonly rgb: Uint8Array
}

/** Fractional bits of a weight: 8 bits of pixel and 22 of weight fit a signed 32-bit sum. */
const weightBits = 22

/**
 * Resizes as Pillow's BICUBIC filter does, byte for byte: the kernel widens when shrinking, weights are rounded to 22
 * bits, and the image is rounded to bytes between the horizontal and the vertical pass.
 * @returns `image` itself when the size does not change
 */
export function resizeBicubic(image: RgbImage, { width, height }: Size): RgbImage {
  const wide = width === image.width ? image : resizeRows(image, width)
  return height === wide.height ? wide : resizeColumns(wide, height)
}

/** For each output position: the first input it reads, how many it reads, and their weights at a stride of `taps`. */
interface Filter {
  readonly starts: Int32Array
  readonly counts: Int32Array
  readonly weights: Int32Array
  readonly taps: number
}

/** Pillow's precompute_coeffs and normalize_coeffs_8bpc, src/libImaging/Resample.c. */
function bicubicFilter(inputs: number, outputs: number): Filter {
  const scale = inputs / outputs
  const filterScale = Math.max(scale, 1)
  const support = 2 * filterScale
  const taps = Math.ceil(support) * 2 + 1
  const starts = new Int32Array(outputs)
  const counts = new Int32Array(outputs)
  const weights = new Int32Array(outputs * taps)
  for (let i = 0; i < outputs; i++) {
    const centre = (i + 0.5) * scale
    const start = Math.max(0, Math.trunc(centre - support + 0.5))
    const end = Math.min(inputs, Math.trunc(centre + support + 0.5))
    const raw = Array.from({ length: end - start }, (_, tap) =>
      cubic((start + tap - centre + 0.5) / filterScale),
    )
    const sum = raw.reduce((total, weight) => total + weight, 0)
    starts[i] = start
    counts[i] = raw.length
    weights.set(
      raw.map((weight) => fixedPoint(weight / sum)),
      i * taps,
    )
  }
  return { starts, counts, weights, taps }
}

/** Keys' cubic convolution with a = -0.5. */
function cubic(distance: number): number {
  const a = -0.5
  const t = Math.abs(distance)
  if (t < 1) return ((a + 2) * t - (a + 3)) * t * t + 1
  if (t < 2) return (((t - 5) * t + 8) * t - 4) * a
  return 0
}

/** Rounds half away from zero. */
function fixedPoint(weight: number): number {
  return Math.trunc(weight * 2 ** weightBits + (weight < 0 ? -0.5 : 0.5))
}

const half = 2 ** (weightBits - 1)

function resizeRows(image: RgbImage, width: number): RgbImage {
  const { starts, counts, weights, taps } = bicubicFilter(image.width, width)
  const { rgb: from, height } = image
  const rgb = new Uint8ClampedArray(width * height * 3)
  let to = 0
  for (let y = 0; y < height; y++) {
    const row = y * image.width * 3
    for (let x = 0; x < width; x++) {
      let red = half
      let green = half
      let blue = half
      let pixel = row + starts[x]! * 3
      const end = x * taps + counts[x]!
      for (let tap = x * taps; tap < end; tap++, pixel += 3) {
        const weight = weights[tap]!
        red += Math.imul(weight, from[pixel]!)
        green += Math.imul(weight, from[pixel + 1]!)
        blue += Math.imul(weight, from[pixel + 2]!)
      }
      rgb[to++] = red >> weightBits
      rgb[to++] = green >> weightBits
      rgb[to++] = blue >> weightBits
    }
  }
  return { width, height, rgb: asBytes(rgb) }
}

function resizeColumns(image: RgbImage, height: number): RgbImage {
  const { starts, counts, weights, taps } = bicubicFilter(image.height, height)
  const { rgb: from, width } = image
  const stride = width * 3
  const rgb = new Uint8ClampedArray(stride * height)
  const sums = new Int32Array(stride)
  for (let y = 0; y < height; y++) {
    sums.fill(half)
    for (let tap = 0; tap < counts[y]!; tap++) {
      const weight = weights[y * taps + tap]!
      const row = (starts[y]! + tap) * stride
      for (let i = 0; i < stride; i++) sums[i] = sums[i]! + Math.imul(weight, from[row + i]!)
    }
    for (let i = 0; i < stride; i++) rgb[y * stride + i] = sums[i]! >> weightBits
  }
  return { width, height, rgb: asBytes(rgb) }
}

function asBytes(clamped: Uint8ClampedArray): Uint8Array {
  return new Uint8Array(clamped.buffer, clamped.byteOffset, clamped.length)
}
