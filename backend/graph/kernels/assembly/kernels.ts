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

/**
 * trunc(weight * inverse + 128.5), computed in float64. In float32, which is faster, a weight of up to 127 levels is off by at most
 * 2^-16 levels (127 * 2^-23): it is rounded to the same level unless it is as close as that to the middle of two.
 */
function quantize(weights: usize, count: u32, inverse: f64, values: usize): void {
  const factor = f32x4.splat(<f32>inverse)
  const shift = v128.load(shifts)
  const most = v128.load(mostSquares)
  const whole = count & ~15
  for (let i: u32 = 0; i < whole; i += 16) {
    const at = weights + ((<usize>i) << 2)
    if (!quantizeSixteen(at, factor, shift, most, values + i)) {
      quantizeExactly(at, 16, inverse, values + i)
    }
  }
  const rest = weights + ((<usize>whole) << 2)
  quantizeExactly(rest, count - whole, inverse, values + whole)
}

function quantizeExactly(weights: usize, count: u32, inverse: f64, values: usize): void {
  for (let i: u32 = 0; i < count; i++) {
    const weight = <f64>load<f32>(weights + ((<usize>i) << 2))
    // Positive, so cutting off the fraction rounds down: after adding a half, to the nearest.
    store<u8>(values + i, <u8>(<i32>(weight * inverse + (<f64>zeroPoint + 0.5))))
  }
}

/**
 * The sum of this and a small number is rounded to an integer, whose last byte is that of the number plus `zeroPoint`. Four of them
 * in memory, since engines compose a constant of four anew wherever it is used.
 */
const shift: f32 = 1.5 * 8388608 + 128
const shifts = memory.data<f32>([shift, shift, shift, shift])
/** Square of the distance from a level, twice the error less than a half, up to which it is surely the nearest. */
const mostSquare: f32 = (0.5 - 1.0 / 32768) * (0.5 - 1.0 / 32768)
const mostSquares = memory.data<f32>([mostSquare, mostSquare, mostSquare, mostSquare])

/**
 * @returns false when one is so close to the middle of two levels that float32 may have found the wrong one, or when the factor is
 * infinite, since distances then are not numbers
 */
function quantizeSixteen(
  weights: usize,
  factor: v128,
  shift: v128,
  most: v128,
  values: usize,
): bool {
  const a = f32x4.mul(v128.load(weights), factor)
  const b = f32x4.mul(v128.load(weights, 16), factor)
  const c = f32x4.mul(v128.load(weights, 32), factor)
  const d = f32x4.mul(v128.load(weights, 48), factor)
  const sumA = f32x4.add(a, shift)
  const sumB = f32x4.add(b, shift)
  const sumC = f32x4.add(c, shift)
  const sumD = f32x4.add(d, shift)
  v128.store(values, lastBytes(sumA, sumB, sumC, sumD))
  const square = f32x4.pmax(
    f32x4.pmax(squareOff(a, sumA, shift), squareOff(b, sumB, shift)),
    f32x4.pmax(squareOff(c, sumC, shift), squareOff(d, sumD, shift)),
  )
  return i32x4.all_true(f32x4.lt(square, most))
}

/** How far a number is from the integer that it was rounded to, squared. */
function squareOff(number: v128, sum: v128, shift: v128): v128 {
  const distance = f32x4.sub(number, f32x4.sub(sum, shift))
  return f32x4.mul(distance, distance)
}

/** The last byte of each lane. */
function lastBytes(a: v128, b: v128, c: v128, d: v128): v128 {
  const byte = i32x4.splat(0xff)
  const low = i16x8.narrow_i32x4_s(v128.and(a, byte), v128.and(b, byte))
  const high = i16x8.narrow_i32x4_s(v128.and(c, byte), v128.and(d, byte))
  return i8x16.narrow_i16x8_u(low, high)
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
