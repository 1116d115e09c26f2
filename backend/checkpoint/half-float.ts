import { widenBfloat16 } from '../graph/kernels/kernels.ts'

/** Element types of weights in a checkpoint, with their bytes. */
export const floatTypes = { BF16: 2, F16: 2, F32: 4 } as const
export type FloatType = keyof typeof floatTypes

/**
 * Converts little-endian checkpoint values to float32; bf16 and f16 widen exactly. `bytes` need not be aligned; if they are, F32
 * values are returned in their place.
 * @param into memory for as many values, which may be used instead of new memory
 */
export function toFloat32(bytes: Uint8Array, type: FloatType, into?: Float32Array): Float32Array {
  const { buffer, byteOffset, byteLength } =
    bytes.byteOffset % floatTypes[type] === 0 ? bytes : bytes.slice()
  const values = [buffer, byteOffset, byteLength / floatTypes[type]] as const
  switch (type) {
    case 'F32':
      return new Float32Array(...values)
    case 'BF16':
      return widened(new Uint16Array(...values), into)
    case 'F16':
      return Float32Array.from(new Uint16Array(...values), widenFloat16)
  }
}

function widened(halves: Uint16Array, into?: Float32Array): Float32Array {
  const values = into ?? new Float32Array(halves.length)
  widenBfloat16(halves, values)
  return values
}

/** IEEE 754 binary16: 1 sign, 5 exponent (bias 15), 10 fraction bits. */
function widenFloat16(half: number): number {
  const sign = half & 0x8000 ? -1 : 1
  const exponent = (half >> 10) & 0x1f
  const fraction = half & 0x3ff
  if (exponent === 0) return sign * fraction * 2 ** -24
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
}
