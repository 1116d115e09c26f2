/**
 * The loops over weights, with SIMD instructions, in AssemblyScript (https://www.assemblyscript.org): `npm run kernels` compiles
 * them to `kernels.wasm`. `usize` is an address in the module's memory. Each function gives the same bits as the plain loop of its
 * name in `test/support/model/plain-kernels.ts`.
 */

/** Bits of a float32 but the sign; compared as integers they order magnitudes. */
const magnitudeBits: u32 = 0x7fff_ffff
/** From here on, a magnitude is infinite or not a number. */
const infinityBits: u32 = 0x7f80_0000

const zeroPoint: u8 = 128
const maxLevel: f64 = 127

/** bfloat16, the upper half of a float32, to float32. */
export function widenBfloat16(from: usize, to: usize, count: u32): void {
  const whole = count & ~7
  for (let i: u32 = 0; i < whole; i += 8) {
    const halves = v128.load(from + ((<usize>i) << 1))
    const target = to + ((<usize>i) << 2)
    v128.store(target, i32x4.shl(i32x4.extend_low_i16x8_u(halves), 16))
    v128.store(target, i32x4.shl(i32x4.extend_high_i16x8_u(halves), 16), 16)
  }
  for (let i = whole; i < count; i++) {
    store<u32>(to + ((<usize>i) << 2), (<u32>load<u16>(from + ((<usize>i) << 1))) << 16)
  }
}

/** The bits of the largest magnitude of some float32 values. */
export function largestBits(from: usize, count: u32): u32 {
  const mask = i32x4.splat(magnitudeBits)
  let largest = i32x4.splat(0)
  const whole = count & ~3
  for (let i: u32 = 0; i < whole; i += 4) {
    largest = i32x4.max_u(largest, v128.and(v128.load(from + ((<usize>i) << 2)), mask))
  }
  let result = max(
    max(<u32>i32x4.extract_lane(largest, 0), <u32>i32x4.extract_lane(largest, 1)),
    max(<u32>i32x4.extract_lane(largest, 2), <u32>i32x4.extract_lane(largest, 3)),
  )
  for (let i = whole; i < count; i++) {
    result = max(result, load<u32>(from + ((<usize>i) << 2)) & magnitudeBits)
  }
  return result
}

/**
 * Rows of float32 weights in blocks of 8 bits: see `quantizeInChunks`.
 * @returns false when a weight is not a finite number
 */
export function quantizeBlocks(
  weights: usize,
  rows: u32,
  width: u32,
  blockSize: u32,
  values: usize,
  scales: usize,
): bool {
  let block = weights
  let value = values
  let scale = scales
  for (let row: u32 = 0; row < rows; row++) {
    for (let from: u32 = 0; from < width; from += blockSize) {
      const count = min(blockSize, width - from)
      const bits = largestBits(block, count)
      if (bits >= infinityBits) return false
      let size = <f32>(<f64>reinterpret<f32>(bits) / maxLevel)
      if (size == 0) size = 1
      store<f32>(scale, size)
      quantize(block, count, 1 / <f64>size, value)
      if (count < blockSize) memory.fill(value + count, zeroPoint, blockSize - count)
      block += (<usize>count) << 2
      value += blockSize
      scale += 4
    }
  }
  return true
}

/** trunc(weight * inverse + 128.5), computed in float64. */
function quantize(weights: usize, count: u32, inverse: f64, values: usize): void {
  const factor = f64x2.splat(inverse)
  // Positive, so cutting off the fraction rounds down: after adding a half, to the nearest.
  const shift = f64x2.splat(<f64>zeroPoint + 0.5)
  const whole = count & ~15
  for (let i: u32 = 0; i < whole; i += 16) {
    const at = weights + ((<usize>i) << 2)
    const low = lowHalves(
      levels(v128.load(at), factor, shift),
      levels(v128.load(at, 16), factor, shift),
    )
    const high = lowHalves(
      levels(v128.load(at, 32), factor, shift),
      levels(v128.load(at, 48), factor, shift),
    )
    v128.store(values + i, lowBytes(low, high))
  }
  for (let i = whole; i < count; i++) {
    const weight = <f64>load<f32>(weights + ((<usize>i) << 2))
    store<u8>(values + i, <u8>(<i32>(weight * inverse + (<f64>zeroPoint + 0.5))))
  }
}

/** Four weights as four integers. */
function levels(weights: v128, factor: v128, shift: v128): v128 {
  const first = f64x2.promote_low_f32x4(weights)
  const second = f64x2.promote_low_f32x4(v128.shuffle<f32>(weights, weights, 2, 3, 2, 3))
  return v128.shuffle<i32>(
    i32x4.trunc_sat_f64x2_s_zero(f64x2.add(f64x2.mul(first, factor), shift)),
    i32x4.trunc_sat_f64x2_s_zero(f64x2.add(f64x2.mul(second, factor), shift)),
    0,
    1,
    4,
    5,
  )
}

function lowHalves(a: v128, b: v128): v128 {
  return v128.shuffle<i16>(a, b, 0, 2, 4, 6, 8, 10, 12, 14)
}

function lowBytes(a: v128, b: v128): v128 {
  return v128.shuffle<i8>(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30)
}

/**
 * What rows of float32 weights say about their product: see `scanWeight`. Even and odd columns have sums of their own, so that
 * one addition need not wait for the last.
 * @param inputs float64, one for each column
 * @param outputs float64, one for each row
 * @param columns float64, raised where a weight is larger
 */
export function scanRows(
  weights: usize,
  rows: u32,
  width: u32,
  inputs: usize,
  outputs: usize,
  columns: usize,
): void {
  for (let row: u32 = 0; row < rows; row++) {
    const from = weights + ((<usize>row * width) << 2)
    const output = outputOf(from, width, inputs)
    store<f64>(outputs + ((<usize>row) << 3), output)
    if (output > 0) raise(columns, from, width, 1 / output)
  }
}

function outputOf(weights: usize, width: u32, inputs: usize): f64 {
  let sums = f64x2.splat(0)
  const whole = width & ~3
  for (let i: u32 = 0; i < whole; i += 4) {
    const four = v128.load(weights + ((<usize>i) << 2))
    const input = inputs + ((<usize>i) << 3)
    const low = f64x2.mul(f64x2.promote_low_f32x4(four), v128.load(input))
    const high = f64x2.mul(
      f64x2.promote_low_f32x4(v128.shuffle<f32>(four, four, 2, 3, 2, 3)),
      v128.load(input, 16),
    )
    sums = f64x2.add(sums, f64x2.mul(low, low))
    sums = f64x2.add(sums, f64x2.mul(high, high))
  }
  let even = f64x2.extract_lane(sums, 0)
  let odd = f64x2.extract_lane(sums, 1)
  for (let i = whole; i < width; i++) {
    const product =
      <f64>load<f32>(weights + ((<usize>i) << 2)) * load<f64>(inputs + ((<usize>i) << 3))
    if (i & 1) odd += product * product
    else even += product * product
  }
  return sqrt<f64>(even + odd)
}

/** columns = max(columns, |weights| factor) */
function raise(columns: usize, weights: usize, width: u32, factor: f64): void {
  const factors = f64x2.splat(factor)
  const whole = width & ~3
  for (let i: u32 = 0; i < whole; i += 4) {
    const four = f32x4.abs(v128.load(weights + ((<usize>i) << 2)))
    const at = columns + ((<usize>i) << 3)
    const low = f64x2.mul(f64x2.promote_low_f32x4(four), factors)
    const high = f64x2.mul(
      f64x2.promote_low_f32x4(v128.shuffle<f32>(four, four, 2, 3, 2, 3)),
      factors,
    )
    v128.store(at, f64x2.pmax(v128.load(at), low))
    v128.store(at, f64x2.pmax(v128.load(at, 16), high), 16)
  }
  for (let i = whole; i < width; i++) {
    const magnitude = <f64>abs(load<f32>(weights + ((<usize>i) << 2))) * factor
    const at = columns + ((<usize>i) << 3)
    if (magnitude > load<f64>(at)) store<f64>(at, magnitude)
  }
}
