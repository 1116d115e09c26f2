/**
 * Sizes of the buffers that ONNX Runtime 1.30's WebGPU provider allocates, in bytes (buffer_manager.cc): a request gets the next larger one,
 * and afterwards its buffer is kept for another request of that size. A few of the largest are kept, hundreds of the smallest. Whatever is
 * larger than all of them has the size that it needs, and is never reused.
 */
const sizes = [
  [64, 128, 256, 512, 2048, 4096, 8192, 16_384, 32_768, 65_536, 131_072, 262_144],
  [524_288, 1_048_576, 2_097_152, 4_194_304, 8_388_608, 12_582_912, 16_777_216],
  [26_214_400, 33_554_432, 44_236_800, 58_982_400, 67_108_864, 134_217_728, 167_772_160],
].flat()

/** The largest buffer that is reused. */
export const largestReusedBytes = sizes.at(-1)!

/** Bytes that a tensor takes on the card. */
export function bufferBytes(bytes: number): number {
  return sizes.find((size) => size >= bytes) ?? bytes
}

/** The largest tensor that takes at most this many bytes on the card; 0 when not even the smallest does. */
export function largestTensor(bytes: number): number {
  return bytes > largestReusedBytes ? bytes : (sizes.findLast((size) => size <= bytes) ?? 0)
}
